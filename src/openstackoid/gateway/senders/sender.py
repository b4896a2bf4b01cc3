"""Who sends a request, as far as that decides what goes on with it.

A kind of sender says whether a request is of that kind (`accept`); the sender that it gives lets the request in (`admit`) and makes what
is sent to one cloud (`local`, `remote`). The kinds stand in `selection`; each has a file.
"""

from typing import Protocol

from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Arrival, Call
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.legs import Leg


class Sender(Protocol):
    """Who sends one request."""

    @property
    def scope(self) -> Scope | None:
        """The scope that is signed into the sender's token; None if the sender chooses it."""

    @property
    def initiator(self) -> Initiator | None:
        """What is known for the audit before the request goes on."""

    @property
    def begins_here(self) -> bool:
        """Whether this cloud is the first that the request meets, and the token is one of its own.

        Only then does a decision hold for all requests with the same scope, so that HAProxy may be taught it.
        """

    @property
    def image_token(self) -> ForeignToken | None:
        """A federated token with which HAProxy may be taught to let image data pass."""

    async def admit(self, call: Call) -> None:
        """Let a request in.

        Raises:
            TrustError: it may not come in.
        """

    async def local(self, call: Call) -> Leg:
        """What is sent to this cloud's own backend.

        Raises:
            OpenStackoidError: the request may not go there.
        """

    async def remote(self, call: Call, decision: Remote) -> Leg:
        """What is sent to another cloud.

        Raises:
            OpenStackoidError: the request may not go there.
        """


class SenderKind(Protocol):
    """One kind of sender."""

    def accept(self, arrival: Arrival) -> Sender | None:
        """The sender, if a request is of this kind.

        Raises:
            TrustError: it is of this kind, and may not come in.
        """
