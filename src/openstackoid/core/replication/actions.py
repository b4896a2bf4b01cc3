"""The actions on a server that reach all members of its replica: those without a result of their own, which do the same in each cloud. Pure.

All others (a snapshot, a password, a console's output, a resize with a flavor of one cloud, a migration) are refused by name.
Source: nova/api/openstack/compute, the methods with `@wsgi.action`.
"""

from typing import Any, Final

from openstackoid.core.replication.kinds import Thing

SERVER_ACTIONS: Final = frozenset(
    {
        *("os-start", "os-stop", "reboot", "pause", "unpause", "suspend", "resume"),
        *("lock", "unlock", "shelve", "unshelve", "confirmResize", "revertResize"),
    }
)
_PATH: Final = "/action"


def shared_action(thing: Thing, method: str, document: Any) -> str | None:
    """The action of a request, if it reaches all members; None if the request is something else."""
    if thing.kind.name != "compute.server" or method != "POST" or thing.rest != _PATH:
        return None
    names = list(document) if isinstance(document, dict) else []
    return names[0] if len(names) == 1 and names[0] in SERVER_ACTIONS else None
