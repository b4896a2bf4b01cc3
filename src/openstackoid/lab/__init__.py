"""Real OpenStack clouds on one machine, with a gateway before each.

    from openstackoid.lab import Lab

    lab = Lab(Path("/tmp/lab"), ["CloudOne", "CloudTwo"])
    lab.up(progress=print)
    lab.clouds["CloudOne"].frontend("image")    # http://127.0.1.2:9292

What runs: keystone, glance, placement, nova and neutron as they are published, one process for each service of each
cloud, on SQLite, without root. ``services`` is what runs inside them; the other modules run outside.
"""

from .errors import LabError
from .lab import Lab
from .layout import Cloud

__all__ = ["Cloud", "Lab", "LabError"]
