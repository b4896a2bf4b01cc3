"""The sender of a request: the interface of all kinds of senders.

A kind of sender decides whether a request is of that kind (`accept`) and returns a sender. The sender admits the request (`admit`) and makes the
leg to one cloud (`local`, `remote`). `selection` lists the kinds; each has a file.
"""

from typing import Protocol

from openstackoid.core.routing import Remote
from openstackoid.core.scope import Scope
from openstackoid.gateway.entry.calls import Arrival, Call
from openstackoid.gateway.senders.foreign_tokens import ForeignToken
from openstackoid.gateway.telemetry.audit import Initiator
from openstackoid.gateway.upstream.legs import Leg


class Sender(Protocol):
    """The sender of one request."""

    @property
    def scope(self) -> Scope | None:
        """The scope that is signed into the sender's token; None if the sender chooses it."""

    @property
    def initiator(self) -> Initiator | None:
        """The facts for the audit that are known before the request is forwarded."""

    @property
    def begins_here(self) -> bool:
        """Whether this cloud is the request's entry cloud, and the token is one of its own.

        Only then does a decision hold for all requests with the same scope, so that HAProxy may be taught it.
        """

    @property
    def image_token(self) -> ForeignToken | None:
        """The federated token that HAProxy may be taught for image data; None if there is none."""

    async def admit(self, call: Call) -> None:
        """Admit a request.

        Raises:
            TrustError: the request is not admitted.
        """

    async def local(self, call: Call) -> Leg:
        """The leg to this cloud's own backend.

        Raises:
            OpenStackoidError: the request may not go there.
        """

    async def remote(self, call: Call, decision: Remote) -> Leg:
        """The leg to another cloud.

        Raises:
            OpenStackoidError: the request may not go there.
        """


class SenderKind(Protocol):
    """One kind of sender."""

    def accept(self, arrival: Arrival) -> Sender | None:
        """The sender, if a request is of this kind.

        Raises:
            TrustError: the request is of this kind, and is not admitted.
        """
