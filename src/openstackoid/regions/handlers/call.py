"""A request as handlers see it, and their answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from openstackoid.regions.control import Control
from openstackoid.regions.identity import Operator

NOBODY: Final = Operator("nobody")


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose caller, policy, version and body were checked.

    Attributes:
        control: the control plane.
        url: its base URL, as the client called it.
        path: variables of the path.
        query: parameters.
        body: JSON object; empty if the route takes none.
        operator: the caller; None on paths for peers and for everybody.
        assertion: of a peer's control plane, not checked.
    """

    control: Control
    url: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    operator: Operator = NOBODY
    assertion: str | None = None


Handler: TypeAlias = Callable[[Call], Awaitable[dict[str, Any]]]
