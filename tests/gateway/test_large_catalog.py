"""The catalog of an aggregator with a thousand regions, as its gateway reads it."""

from typing import Any

import orjson
import pytest

from openstackoid.core import limits
from openstackoid.core.limits import Limit
from openstackoid.gateway.federation.keystone_catalog import KeystoneCatalog
from openstackoid.gateway.upstream.documents import parsed

REGIONS, KINDS = 1000, ("compute", "identity", "image", "network")


class Api:
    """Keystone's services and endpoints, read within the limit of each request."""

    has_account = True

    async def by_account(self, _method: str, path: str, *, limit: Limit = limits.IDENTITY) -> tuple[int, Any]:
        services = [
            {"id": kind, "type": kind, "name": kind, "enabled": True, "links": {"self": path}} for kind in KINDS
        ]
        points = [
            {"id": f"{number}-{kind}-{face}", "interface": face, "region_id": f"V{number}", "region": f"V{number}"}
            | {"service_id": kind, "url": f"https://a.example:5000/scope/V{number}/{kind}", "links": {"self": path}}
            for number in range(REGIONS)
            for kind in KINDS
            for face in ("public", "internal")
        ]
        answer = orjson.dumps({"services": services} if path.endswith("/services") else {"endpoints": points})
        return 200, parsed(answer, limit)


@pytest.mark.asyncio
async def test_a_catalog_of_a_thousand_regions_is_read() -> None:
    read = await KeystoneCatalog(Api(), None).read(None)  # type: ignore[arg-type]
    assert read is not None
    assert sum(len(service["endpoints"]) for service in read) == 2 * REGIONS * len(KINDS)
