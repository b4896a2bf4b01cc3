"""Start services: ``python -I .../lab/services/__main__.py ORDERS.json`` in the environment of OpenStack's services.

The package keeps its real name here, without openstackoid being installed: its parents are stand-ins that hold only
the way to their folders, so that ``openstackoid/__init__.py`` and what it needs are never run in this environment.
"""

import importlib
import sys
import types
from pathlib import Path


def stand_in_for_parents() -> None:
    """Make ``openstackoid.lab.services`` importable by its name."""
    lab = Path(__file__).resolve().parent.parent
    for name, folder in (("openstackoid", lab.parent), ("openstackoid.lab", lab)):
        module = types.ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module


if __name__ == "__main__":
    stand_in_for_parents()
    zygote = importlib.import_module("openstackoid.lab.services.zygote")
    zygote.start(Path(sys.argv[1]))
