"""What runs inside the clouds: OpenStack's own code, started without root, containers, RabbitMQ or MariaDB.

These modules live in the virtual environment of OpenStack's services (see ``lab.environment``), which does not have
openstackoid installed: nothing here imports anything of openstackoid outside this package, and nothing outside imports
from here. Nothing of OpenStack is patched on disk; what is replaced is what its own configuration lets one replace
(an ML2 mechanism driver, a compute driver), and one thing of oslo.db that has no option (see ``sqlite``).
"""
