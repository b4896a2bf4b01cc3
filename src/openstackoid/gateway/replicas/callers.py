"""Who sends a request: the project and the user of a token, as its Keystone says."""

import hashlib
from typing import Final

from cachetools import TTLCache

from openstackoid.core.errors import PeerAnswerError, TokenError
from openstackoid.core.plans import Target
from openstackoid.core.scope import Name, Scope
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.replicas.asking import Asker, parsed

_REMEMBERED: Final = 4096
_SECONDS: Final = 30.0
_UNAUTHORIZED: Final = frozenset({401, 404})
IDENTITY: Final = "identity"


class Callers:
    """Remembers whose tokens are whose, for a short time, by their digests."""

    def __init__(self) -> None:
        self._remembered: TTLCache[bytes, str] = TTLCache(_REMEMBERED, _SECONDS)

    async def of(self, asker: Asker, target: Target) -> str:
        """PROJECT/USER of the token of a call.

        Args:
            asker: with the call.
            target: any of the request's: all name the same cloud for identity.

        Raises:
            TokenError: there is no token, it is not valid, or is of no project.
            OpenStackoidError: Keystone cannot be asked.
        """
        token = asker.call.auth
        if not token:
            raise TokenError("Expected a token at X-Auth-Token for a change in several clouds.")
        digest = hashlib.sha256(token.encode()).digest()
        if digest not in self._remembered:
            self._remembered[digest] = _ids(await _validated(asker, target, token))
        return self._remembered[digest]


async def _validated(asker: Asker, target: Target, token: str) -> Reply:
    cloud = target.scope.get(IDENTITY)
    name = cloud.cloud if isinstance(cloud, Name) else target.cloud
    whole = Scope.of({**dict(target.scope.entries), IDENTITY: Name(name)})
    return await asker.validate(Target(name, whole), token)


def _ids(reply: Reply) -> str:
    if reply.status in _UNAUTHORIZED:
        raise TokenError("The token is not valid: log in again.")
    document = parsed(reply)
    token = document.get("token") if reply.good and isinstance(document, dict) else None
    if not isinstance(token, dict):
        raise PeerAnswerError(f"Keystone answered {reply.status} about the token, expected 200 and JSON.")
    project, user = token.get("project"), token.get("user")
    if not isinstance(project, dict) or not isinstance(user, dict):
        raise TokenError("Expected a token of a project for a change in several clouds.")
    return f"{project.get('id')}/{user.get('id')}"
