"""Identity across clouds, without patching OpenStack.

A service whose user comes from another cloud validates the token at its own gateway. Its own token means nothing in the
user's home, but Keystone lets a token validate itself (`identity:validate_token`, rule `token_subject`,
keystone/common/policies/token.py): so the token goes there as both. The catalog in the answer is replaced by this
cloud's, so that the service keeps finding its neighbours.
"""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any, Final

from openstackoid.core import catalog as catalogs
from openstackoid.core.catalog import Json
from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway.federation.keystone_catalog import KeystoneCatalog
from openstackoid.gateway.settings.config import Config

# Where Keystone's answers hold a catalog: keystone/api/auth.py.
_TOKENS: Final = re.compile(r"/v3/auth/(?:tokens|catalog)/?(?:\?.*)?$")
_TOKEN: Final = re.compile(r"/v3/auth/tokens/?\Z")
_PAUSE: Final = 1.0  # seconds until Keystone is asked again after it failed
_UNAUTHORIZED: Final = 401
_NOT_FOUND: Final = 404


def holds_catalog(path: str) -> bool:
    """Whether Keystone answers with a catalog there."""
    return _TOKENS.match(path) is not None


def is_token(path: str) -> bool:
    """Whether the path is Keystone's token validation."""
    return _TOKEN.match(path) is not None


class LocalCatalog:
    """This cloud's catalog: from its Keystone, or from the configuration until Keystone has answered.

    Args:
        config: `region`, and how often Keystone is asked (`timeouts.refresh`).
        endpoints: official service type -> URL, from the configuration.
        source: reads the catalog; None in a cloud without Keystone.
        previous: the catalog before a reload.
    """

    def __init__(
        self,
        config: Config,
        endpoints: dict[str, str],
        source: KeystoneCatalog | None,
        previous: "LocalCatalog | None" = None,
    ) -> None:
        self._configured = catalogs.catalog(endpoints, config.region)
        self._interval = config.timeouts.refresh
        self._source = source
        self._read: list[Json] | None = previous._read if previous else None  # noqa: SLF001 - the same class
        self._next = 0.0  # when Keystone is asked again (monotonic)
        self._lock = asyncio.Lock()
        inside = [url for service in config.services.values() if (url := config.inside(service))]
        self._frontends = [*config.here.services.values(), *inside]

    def entries(self, project: str | None) -> list[Json]:
        """The catalog for a project, as it was read last."""
        return catalogs.filled(self._read or self._configured, project)

    async def refresh(self, asker: str | None) -> None:
        """Ask Keystone again, if it is time. While it does not work, or tells nothing, the catalog stays as it is.

        Args:
            asker: the token of who needs the catalog.
        """
        async with self._lock:
            if self._source is None or time.monotonic() < self._next:
                return
            try:
                read = await self._source.read(asker)
            except OpenStackoidError:
                self._next = time.monotonic() + min(_PAUSE, self._interval)
                return
            if read:
                self._read = read
                self._next = time.monotonic() + self._interval

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

    def scoped(
        self, edit: Callable[[int, Any], tuple[int, Any] | None] | None, status: int, document: Any
    ) -> tuple[int, Any]:
        """An answer with a catalog under a saved scope: after another change, every endpoint leads through the gateway, or the scope would be lost there.

        Args:
            edit: the other change; None if there is none.
            status: of the answer.
            document: its JSON.
        """
        status, document = (edit(status, document) if edit else None) or (status, document)
        place = document.get("token", document) if isinstance(document, dict) else None
        if isinstance(place, dict) and isinstance(place.get("catalog"), list):
            place["catalog"] = catalogs.through(place["catalog"], self._frontends)
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
