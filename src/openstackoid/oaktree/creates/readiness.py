"""Whether a resource can be used yet, by what it says of itself. Pure.

openstacksdk waits for one status of each kind (`wait_for_server`: ACTIVE; `wait_for_volume`: available). Services have some more in which
nothing goes on any more: a port that nobody uses is DOWN for good, an image without data stays queued. So this goes by the words that
mean that something is under way.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from openstackoid.oaktree.resources.kinds import Kind

# Load balancers have two; the other one says whether members answer.
_ATTRIBUTES: Final = ("provisioning_status", "status")
_FAILED: Final = re.compile(r"ERROR|FAIL|KILLED")
_UNDER_WAY: Final = re.compile(
    r"BUILD|PENDING|CREATING|QUEUED|SAVING|IMPORTING|UPLOADING|DOWNLOADING|SPAWNING|SCHEDUL|ALLOCAT|INITIALIZ|PROVISION|REQUESTED|RESTORING"
    r"|IN_PROGRESS|INIT_|STARTING|WAITING|DEPLOYING"
)
# Nothing comes unless somebody sends its data.
_IDLE: Final = frozenset({("image.image", "QUEUED")})


def status_of(attributes: Mapping[str, Any]) -> str:
    """A resource's own status, as its cloud says it; empty if it has none."""
    for name in _ATTRIBUTES:
        if isinstance(value := attributes.get(name), str) and value:
            return value
    return ""


def has_failed(attributes: Mapping[str, Any]) -> bool:
    """It went wrong."""
    return _FAILED.search(status_of(attributes).upper()) is not None


def is_ready(kind: str, attributes: Mapping[str, Any]) -> bool:
    """Nothing is under way any more; it may have failed."""
    status = status_of(attributes).upper()
    if has_failed(attributes) or (kind, status) in _IDLE:
        return True
    return _UNDER_WAY.search(status) is None


def is_surely_ready(kind: Kind, attributes: Mapping[str, Any]) -> bool:
    """It is ready and well by what its create answered: by its status, or since it can have none."""
    silent = not status_of(attributes) and any(each in kind.attributes.by_name for each in _ATTRIBUTES)
    return not silent and not has_failed(attributes) and is_ready(kind.name, attributes)


def why(attributes: Mapping[str, Any]) -> str:
    """What it says about its failure, on one line; empty if nothing."""
    fault = attributes.get("fault")
    if isinstance(fault, Mapping) and fault.get("message"):
        return str(fault["message"])
    return str(attributes.get("status_reason") or "")
