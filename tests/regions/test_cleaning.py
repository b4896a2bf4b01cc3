"""What removes and counts a project's resources, against services at the wire: pages, names that lead elsewhere, items that are too large."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from openstackoid.regions import listing, service_account
from openstackoid.regions.cleaning import Cleaner
from openstackoid.regions.errors import ServiceFailedError
from openstackoid.regions.service_account import Login, ServiceAccount

OWN, OTHER = "a" * 32, "b" * 32
NAMES = ("plain", "deep/er", "../../AUTH_other/kept/object", "..", "./x")


class Services:
    """Keystone's log-in, a Swift with accounts and a Glance with pages; paths are taken as they stand, as Swift does."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, list[str]]] = {
            "AUTH_own": {"files": list(NAMES), "..": []},
            "AUTH_other": {"kept": ["object"]},
        }
        self.images: list[dict[str, Any]] = []
        self.refused_after = ""
        self.base = ""

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        path, query = request.raw_path.partition("?")[0], request.query
        if path == "/v3/auth/tokens":
            swift = {"type": "object-store", "endpoints": [{"interface": "public", "url": f"{self.base}/v1/AUTH_own"}]}
            glance = {"type": "image", "endpoints": [{"interface": "public", "url": f"{self.base}/image"}]}
            token = {"token": {"user": {"id": "u"}, "roles": [], "catalog": [swift, glance]}}
            return web.json_response(token, status=201, headers={"X-Subject-Token": "t"})
        if path.startswith("/image"):
            return self._image(request.method, path, query)
        account, _, rest = path.removeprefix("/v1/").partition("/")
        container, _, name = rest.partition("/")
        return self._swift(request, account, unquote(container), unquote(name))

    def _swift(self, request: web.BaseRequest, account: str, container: str, name: str) -> web.Response:
        containers = self.objects.get(account, {})
        limit, marker = int(request.query.get("limit", 10_000)), request.query.get("marker", "")
        if request.method == "GET":
            names = sorted(containers[container] if container else containers)
            shown = [{"name": entry} for entry in names if entry > marker][:limit]
            return web.json_response(shown)
        if name and name in containers.get(container, []):
            containers[container].remove(name)
        elif not name and containers.get(container) == []:
            del containers[container]
        else:
            return web.Response(status=409 if container in containers else 404)
        return web.Response(status=204)

    def _image(self, method: str, path: str, query: Any) -> web.Response:
        if method == "DELETE":
            identity = path.rpartition("/")[2]
            self.images = [image for image in self.images if image["id"] != identity]
            return web.Response(status=204)
        if query.get("os_hidden"):
            return web.json_response({"images": []})
        marker, limit = query.get("marker", ""), int(query.get("limit", 25))
        if marker and marker == self.refused_after:
            return web.json_response({}, status=404)
        rest = [image for image in self.images if image["id"] > marker]
        answer: dict[str, Any] = {"images": rest[:limit]}
        if rest[limit:]:
            answer["next"] = f"/v2/images?marker={rest[limit - 1]['id']}&limit={limit}"
        return web.json_response(answer)


@pytest_asyncio.fixture
async def services() -> AsyncIterator[Services]:
    made = Services()
    runner = web.ServerRunner(web.Server(made))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def member(services: Services, tmp_path: Path) -> AsyncIterator[ServiceAccount]:
    (tmp_path / "password").write_text("p")
    login = Login(f"{services.base}/v3", "u", tmp_path / "password", {"id": "d"}, {"project": {"id": OWN}})
    async with aiohttp.ClientSession() as session:
        yield ServiceAccount(login, session)


@pytest.mark.asyncio
async def test_names_that_users_choose_lead_to_no_other_account(services: Services, member: ServiceAccount) -> None:
    await Cleaner(member, OWN).clean()
    assert services.objects == {"AUTH_own": {}, "AUTH_other": {"kept": ["object"]}}


@pytest.mark.asyncio
async def test_lists_are_whole_and_only_what_is_the_projects_goes(services: Services, member: ServiceAccount) -> None:
    """Another project's images fill the first pages, as shared zones or ports of routers would."""
    services.images = [{"id": f"{number:04}", "owner": OTHER} for number in range(450)]
    services.images += [{"id": "9000", "owner": OWN}]
    left = [item.id for item in await Cleaner(member, OWN).inventory() if item.service == "image"]
    assert left == ["9000"]
    done = await Cleaner(member, OWN).clean()
    assert done.left == []
    assert {image["owner"] for image in services.images} == {OTHER}
    assert len(services.images) == 450


@pytest.mark.asyncio
async def test_half_a_list_is_no_list(services: Services, member: ServiceAccount) -> None:
    services.images = [{"id": f"{number:04}", "owner": OTHER} for number in range(450)]
    services.refused_after = "0199"
    with pytest.raises(ServiceFailedError, match="does not go on"):
        await Cleaner(member, OWN).clean()


@pytest.mark.asyncio
async def test_large_items_come_in_small_pages(
    services: Services, member: ServiceAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Properties and metadata are users': they must not make a project uncountable, or a clean-up impossible."""
    monkeypatch.setattr(service_account, "_LARGEST", 64 << 10)
    services.images = [{"id": f"{number:04}", "owner": OWN, "property": "x" * 20_000} for number in range(20)]
    assert len(json.dumps(services.images)) > 64 << 10
    status, _, items = await listing.whole(member, f"{services.base}/image/v2/images?owner={OWN}", "images")
    assert (status, [item["id"] for item in items]) == (200, [f"{number:04}" for number in range(20)])
    assert (await Cleaner(member, OWN).clean()).removed >= 20
    assert services.images == []
