"""Networks of a virtual region by their ports: who puts a port into a network names it by its id, and neutron lets a port into every shared network.

So the network, or the router interface's subnet, is asked for before: it has to be in the region, or the project's own.
"""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from aiohttp import web
from yarl import URL

from openstackoid.core import limits
from openstackoid.core.errors import (
    BackendTimeoutError,
    BackendUnreachableError,
    BodyError,
    OutsideRegionError,
    PeerTimeoutError,
    PeerUnreachableError,
)
from openstackoid.core.region_resources import Resources
from openstackoid.core.routing import Remote
from openstackoid.gateway.upstream.bodies import read_body
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.gateway.upstream.failures import reason

_LIMIT: Final = aiohttp.ClientTimeout(total=30)
_OK: Final = 200


class RegionNetworks:
    """Which networks a request may put ports into.

    Args:
        base: base URL of this cloud's network service; None if it has none.
        session: connections.
    """

    def __init__(self, base: str | None, session: aiohttp.ClientSession) -> None:
        self._base = base
        self._session = session

    async def check(
        self, resources: Resources, request: web.BaseRequest, headers: Mapping[str, str], at: Remote | None = None
    ) -> bytes:
        """Check the networks that a request names; returns its body, which is read.

        Args:
            resources: of the region, for a project.
            request: that puts a port into a network.
            headers: with the user's token as the network service gets it.
            at: the peer whose network service it is, in a region that this cloud resells; None for this cloud's own.

        Raises:
            OutsideRegionError: a network is neither in the region nor the project's own.
            BodyError: the document is too large.
            PeerError: neutron does not answer.
        """
        body = await read_body(request, limits.REQUEST.size)
        if body is None:
            raise BodyError(f"Expected a JSON document of {limits.size(limits.REQUEST.size)} at most.")
        try:
            limits.check(body, limits.REQUEST)
            document = json.loads(body)
        except limits.LimitError as error:
            raise BodyError(f"The JSON of the request is too large: {error}.") from None
        except (ValueError, RecursionError):
            return body  # the service reports the error
        for kind, identity in dict.fromkeys(resources.in_networks(document)):
            if not resources.owns_network(await self._ask(kind, identity, headers, at)):
                raise OutsideRegionError(f"The {kind.removesuffix('s')} {identity[:64]} is not in this region.")
        return body

    async def _ask(self, kind: str, identity: str, headers: Mapping[str, str], at: Remote | None) -> Any:
        base = at.url if at else self._base
        try:
            async with self._session.get(
                URL(f"{base}/v2.0/{kind}/{quote(identity, safe='')}", encoded=True),
                headers=headers,
                timeout=_LIMIT,
                allow_redirects=False,
            ) as answer:
                document = parsed(await whole(answer.content, limits.ANSWER) or b"{}", limits.ANSWER)
        except TimeoutError:
            if at:
                raise PeerTimeoutError(f"{at.cloud}'s network service did not answer in time.") from None
            raise BackendTimeoutError("This cloud's network service did not answer in time.") from None
        except (aiohttp.ClientError, OSError) as error:
            if at:
                raise PeerUnreachableError(
                    f"{at.cloud}'s network service cannot be reached: {reason(error)}."
                ) from None
            raise BackendUnreachableError(f"This cloud's network service cannot be reached: {reason(error)}.") from None
        except ValueError:
            return None
        return document if answer.status == _OK else None
