"""Whether a resource is ready for use, by its status. Pure.

openstacksdk waits for one status of each kind (`wait_for_server`: ACTIVE; `wait_for_volume`: available). Services have further final
statuses: an unused port stays DOWN, an image without data stays queued. So this module recognises the statuses of work in progress,
and every other status is final.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from openstackoid.oaktree.resources.kinds import Kind

# Load balancers have two statuses; the other one is about the health of members.
_ATTRIBUTES: Final = ("provisioning_status", "status")
_FAILED: Final = re.compile(r"ERROR|FAIL|KILLED")
_UNDER_WAY: Final = re.compile(
    r"BUILD|PENDING|CREATING|QUEUED|SAVING|IMPORTING|UPLOADING|DOWNLOADING|SPAWNING|SCHEDUL|ALLOCAT|INITIALIZ|PROVISION|REQUESTED|RESTORING"
    r"|IN_PROGRESS|INIT_|STARTING|WAITING|DEPLOYING"
)
# The status does not change until a client uploads the data.
_IDLE: Final = frozenset({("image.image", "QUEUED")})


def status_of(attributes: Mapping[str, Any]) -> str:
    """The resource's status in the cloud; empty if it has none."""
    for name in _ATTRIBUTES:
        if isinstance(value := attributes.get(name), str) and value:
            return value
    return ""


def has_failed(attributes: Mapping[str, Any]) -> bool:
    """Whether the resource is in an error status."""
    return _FAILED.search(status_of(attributes).upper()) is not None


def is_ready(kind: str, attributes: Mapping[str, Any]) -> bool:
    """Whether the status is final; the resource may have failed."""
    status = status_of(attributes).upper()
    if has_failed(attributes) or (kind, status) in _IDLE:
        return True
    return _UNDER_WAY.search(status) is None


def is_surely_ready(kind: Kind, attributes: Mapping[str, Any]) -> bool:
    """Whether the response to the create already shows a ready resource without error: by its status, or because the kind has no status."""
    silent = not status_of(attributes) and any(attribute in kind.attributes.by_name for attribute in _ATTRIBUTES)
    return not silent and not has_failed(attributes) and is_ready(kind.name, attributes)


def why(attributes: Mapping[str, Any]) -> str:
    """The resource's error message, on one line; empty if there is none."""
    fault = attributes.get("fault")
    if isinstance(fault, Mapping) and fault.get("message"):
        return str(fault["message"])
    return str(attributes.get("status_reason") or "")
