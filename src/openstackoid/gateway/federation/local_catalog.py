"""Identity across clouds, without patching OpenStack.

A service whose user comes from another cloud validates the token at its own gateway. Its own token means nothing in the
user's home, but Keystone lets a token validate itself (`identity:validate_token`, rule `token_subject`,
keystone/common/policies/token.py): so the token goes there as both. The catalog in the answer is replaced by this
cloud's, so that the service keeps finding its neighbours.
"""

import re
from typing import Any, Final

from openstackoid.core import catalog as catalogs
from openstackoid.core.catalog import Json
from openstackoid.gateway.settings.config import Config

# Where Keystone's answers hold a catalog: keystone/api/auth.py.
_TOKENS: Final = re.compile(r"/v3/auth/(?:tokens|catalog)/?(?:\?.*)?$")
_TOKEN: Final = re.compile(r"/v3/auth/tokens/?\Z")
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404


def holds_catalog(path: str) -> bool:
    """Whether Keystone answers with a catalog there."""
    return _TOKENS.match(path) is not None


def is_token(path: str) -> bool:
    """Whether the path is Keystone's token validation."""
    return _TOKEN.match(path) is not None


class LocalCatalog:
    """This cloud's catalog: from an answer of its Keystone, or from the configuration.

    No account is needed: every service logs in through the gateway, and Keystone's answer holds the catalog.
    """

    def __init__(self, config: Config, endpoints: dict[str, str], learned: list[Json] | None = None) -> None:
        self.learned = learned
        self._configured = catalogs.catalog(endpoints, config.region)

    def entries(self, project: str | None) -> list[Json]:
        """The catalog for a project."""
        return catalogs.filled(self.learned or self._configured, project)

    def learn(self, _status: int, document: Any) -> None:
        """Remember the catalog of an answer of the local Keystone; the answer is not changed."""
        token = document.get("token") if isinstance(document, dict) else None
        if isinstance(token, dict) and token.get("catalog"):
            project = token.get("project") or {}
            self.learned = catalogs.templated(token["catalog"], project.get("id"))

    def replace(self, status: int, document: Any) -> tuple[int, Any]:
        """Put this cloud's catalog into an answer of another cloud's Keystone."""
        if not isinstance(document, dict):
            return status, document
        token = document.get("token")
        if isinstance(token, dict) and "catalog" in token:
            project = token.get("project") or {}
            token["catalog"] = self.entries(project.get("id"))
        elif "catalog" in document:
            document["catalog"] = self.entries(None)
        return status, document

    def validated(self, status: int, document: Any) -> tuple[int, Any]:
        """Adapt Keystone's answer to a token that validated itself.

        For an invalid token Keystone answers 401, as to any bad X-Auth-Token. The caller must get 404 instead: keystonemiddleware takes a 401 for a
        sign that its own token has expired (keystonemiddleware/auth_token/_identity.py, `verify_token`).
        """
        if status == _UNAUTHORIZED:
            message = "Could not find token: its own cloud says that it is not valid."
            return _NOT_FOUND, {"error": {"code": _NOT_FOUND, "title": "Not Found", "message": message}}
        return self.replace(status, document)
