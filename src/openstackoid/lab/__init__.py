"""Real OpenStack clouds on one machine, with a gateway before each.

    from openstackoid.lab import Lab

    lab = Lab(Path("/tmp/lab"), ["CloudOne", "CloudTwo"])
    lab.up(progress=print)
    lab.clouds["CloudOne"].frontend("image")    # http://127.0.1.2:9292

What runs: keystone, glance, placement, nova and neutron as they are published, one process for each service of each
cloud, on SQLite, without root. ``services`` is what runs inside them; the other modules run outside.
"""

from typing import TYPE_CHECKING, Any

from openstackoid.lab.errors import LabError
from openstackoid.lab.layout import Cloud

if TYPE_CHECKING:
    from openstackoid.lab.lab import Lab

__all__ = ["Cloud", "Lab", "LabError"]


def __getattr__(name: str) -> Any:
    """Import `Lab` when it is asked for: it needs the extra `lab`, and the commands' help does not (PEP 562)."""
    if name == "Lab":
        from openstackoid.lab.lab import Lab  # noqa: PLC0415

        return Lab
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
