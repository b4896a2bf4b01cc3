"""This cloud's catalog as its Keystone has it, for users of other clouds.

The catalog of a token is that of one user in one project: an endpoint filter shows a part, and a token without a project lacks every endpoint with
the project's id. So the gateway's account reads services and endpoints themselves. Without an account, or without that right, the catalog is that of
a service of this cloud that validates a token here; never that of anybody else.
"""

import math
import time
from typing import Final

from openstackoid.core import catalog as catalogs
from openstackoid.core import limits
from openstackoid.core.catalog import Json
from openstackoid.core.errors import AccountError
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.keystone_api import KeystoneApi

_OK: Final = 200
_AGAIN: Final = 60.0  # seconds until an account that Keystone refused is tried again


class KeystoneCatalog:
    """Reads the catalog.

    Args:
        api: requests to Keystone.
        keystone: recognises services of this cloud.
    """

    def __init__(self, api: KeystoneApi, keystone: Keystone) -> None:
        self._api = api
        self._keystone = keystone
        self._refused = -math.inf  # when Keystone last refused the account (monotonic)

    async def read(self, asker: str | None) -> list[Json] | None:
        """The catalog, with templates in the place of a project's id; None if nothing entitles the gateway to it.

        Args:
            asker: the token of who needs the catalog.

        Raises:
            OpenStackoidError: Keystone does not work, or tells nothing about the token.
        """
        may = self._api.has_account and time.monotonic() - self._refused >= _AGAIN
        whole = await self._whole() if may else None
        if whole is not None or asker is None or not await self._keystone.is_service(asker):
            return whole
        status, answer = await self._keystone.described(asker)
        token = answer.get("token") if status == _OK else None
        project = token.get("project") if isinstance(token, dict) else None
        return catalogs.templated(token["catalog"], project["id"]) if token and project and "catalog" in token else None

    async def _whole(self) -> list[Json] | None:
        try:
            answers = [
                await self._api.by_account("GET", f"/v3/{kind}", limit=limits.ANSWER)
                for kind in ("services", "endpoints")
            ]
            if all(status == _OK for status, _ in answers):
                return catalogs.of_endpoints(answers[0][1].get("services", []), answers[1][1].get("endpoints", []))
        except AccountError:
            pass
        self._refused = time.monotonic()
        return None
