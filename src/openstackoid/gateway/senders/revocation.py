"""Revoked tokens: everything derived from them is deleted here and in HAProxy."""

from typing import Protocol

from openstackoid.gateway.entry.calls import Call
from openstackoid.gateway.federation.issuer import TokenIssuer
from openstackoid.gateway.federation.local_catalog import is_token
from openstackoid.gateway.senders.sender import Sender


class Forgets(Protocol):
    """Another holder of tokens besides the issuer: the teacher of HAProxy."""

    async def forget(self, token: str) -> None:
        """Forget a user's token."""


class Revocation:
    """Has all holders forget a revoked token.

    Args:
        issuer: of federated tokens; None in a cloud without federated peers.
        teacher: of HAProxy; None without HAProxy.
    """

    def __init__(self, issuer: TokenIssuer | None, teacher: Forgets | None) -> None:
        self._issuer = issuer
        self._teacher = teacher

    async def passed(self, call: Call, who: Sender) -> None:
        """Forget the token that a served request revoked, if it revoked one."""
        if call.subject is None or call.method != "DELETE" or who.scope is not None or not is_token(call.path):
            return
        if self._issuer is not None:
            self._issuer.forget(call.subject)
        if self._teacher is not None:
            await self._teacher.forget(call.subject)
