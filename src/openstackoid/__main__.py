"""`python -m openstackoid`."""

import sys

from openstackoid.cli import main

sys.exit(main())
