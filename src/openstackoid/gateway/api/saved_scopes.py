"""The saved scopes of this cloud, for users of clients that cannot send a scope."""

from collections.abc import Mapping
from typing import Any

from openstackoid.core.protocol import SCOPES_PATH
from openstackoid.core.scope import Scope
from openstackoid.gateway.api.endpoints import READS, Audience, Endpoint, Question


class SavedScopes:
    """Answers with the saved scopes, and the auth_url under which a client uses each of them.

    Args:
        saved: the saved scopes by name.
    """

    def __init__(self, saved: Mapping[str, Scope]) -> None:
        self._saved = saved

    def endpoints(self) -> list[Endpoint]:
        """The path of this answer."""
        return [Endpoint(SCOPES_PATH, READS, Audience.USERS, self._all)]

    async def _all(self, question: Question) -> dict[str, Any]:
        listener = question.listener
        identity = listener.cloud.services.get("identity")

        def auth_url(name: str) -> str | None:
            return f"{listener.frontends.scoped(name)[identity].removesuffix('/v3')}/v3" if identity else None

        return {
            "scopes": [
                {"name": name, "scope": {kind: str(value) for kind, value in scope.entries}, "auth_url": auth_url(name)}
                for name, scope in sorted(self._saved.items())
            ]
        }
