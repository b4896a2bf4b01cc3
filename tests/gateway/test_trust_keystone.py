"""What a gateway asks its own Keystone, and what it makes of each answer: valid, invalid, refused, or ill."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from tests.gateway.owners import Owner
from tests.gateway.wire import PROJECT, reply

from openstackoid.core.errors import AccountError, BackendUnreachableError, TokenUncheckedError
from openstackoid.gateway.federation import access_rules
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.gateway.federation.keystone_catalog import KeystoneCatalog
from openstackoid.gateway.settings.fields import Catalog
from openstackoid.gateway.settings.peering import Trust
from openstackoid.trust.rules import Rule

T = TypeVar("T")
TRUST: dict[str, Any] = {"OS-TRUST:trust": {"id": "t", "impersonation": True}}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Owner]:
    owner = Owner("CloudOne", tmp_path / "CloudOne")
    yield owner
    owner.close()


def settings(cloud: Owner, **changed: Any) -> Trust:
    account = Catalog(
        auth_url=cloud["identity"].url + "/v3",
        username="openstackoid",
        password_file=cloud.folder / "password",
        project_name="service",
    )
    given: dict[str, Any] = {"keys_env": "KEYS", "database_env": "DATABASE", "recheck": 300, "account": account}
    return Trust(**(given | changed))


def using(cloud: Owner, work: Callable[[Keystone, KeystoneApi], Awaitable[T]], **changed: Any) -> T:
    """Run with a client of the cloud's Keystone."""

    async def run() -> T:
        trust = settings(cloud, **changed)
        async with aiohttp.ClientSession() as session:
            api = KeystoneApi(cloud["identity"].url, session, trust.account)
            return await work(Keystone(api, trust.recheck), api)

    return asyncio.run(run())


def test_the_account_asks_about_a_token_that_may_not_validate_itself(cloud: Owner) -> None:
    token = cloud.keystone.issue("alice", "member", **TRUST)

    async def twice(keystone: Keystone, _: KeystoneApi) -> list[Any]:
        return [await keystone.token(token), await keystone.token(token)]

    first, second = using(cloud, twice)
    assert first["user"]["name"] == second["user"]["name"] == "alice"
    asked = [seen for seen in cloud["identity"].all("/v3/auth/tokens") if seen.method == "GET"]
    assert [seen.get("X-Auth-Token") == token for seen in asked] == [True, False]


def test_nothing_is_remembered_of_a_refused_token(cloud: Owner) -> None:
    token = cloud.keystone.issue("alice", "member", **TRUST)

    async def later(keystone: Keystone, _: KeystoneApi) -> Any:
        with pytest.raises(TokenUncheckedError, match=r"trust\.account"):
            await keystone.token(token)
        del cloud.keystone.known[token]["OS-TRUST:trust"]
        return await keystone.token(token)

    assert using(cloud, later, account=None)["user"]["name"] == "alice"


def test_an_account_without_the_right_is_named(cloud: Owner) -> None:
    token = cloud.keystone.issue("alice", "member", **TRUST)
    account = cloud.keystone.issue("openstackoid", "reader")
    body = {"token": cloud.keystone.known[account]}

    def answer(seen: Any, _: Any) -> bytes:
        created = reply(201, body, {"X-Subject-Token": account})
        return created if seen.method == "POST" else reply(403, {"error": {"code": 403}})

    cloud["identity"].on("/v3/auth/tokens?nocatalog", answer)
    with pytest.raises(TokenUncheckedError, match="identity:validate_token"):
        using(cloud, lambda keystone, _: keystone.token(token))


@pytest.mark.parametrize(
    "ill",
    [
        reply(429, {"error": {"code": 429}}),
        reply(500, {"error": {"code": 500}}),
        reply(300, {"versions": {}}),
        reply(200, {"tokens": []}),
        reply(401, b"<html>a proxy in front of it</html>"),
        reply(404, {"detail": "no such route"}),
        reply(401),
    ],
    ids=["429", "500", "300", "200", "401 of a proxy", "404 of a proxy", "401 without a body"],
)
def test_what_says_nothing_about_a_token_is_neither_taken_for_invalid_nor_remembered(cloud: Owner, ill: bytes) -> None:
    token = cloud.keystone.issue("alice", "member")

    async def later(keystone: Keystone, _: KeystoneApi) -> Any:
        cloud["identity"].on("/v3/auth/tokens?nocatalog", ill)
        with pytest.raises(BackendUnreachableError):
            await keystone.token(token)
        del cloud["identity"].handlers["/v3/auth/tokens?nocatalog"]
        return await keystone.token(token)

    assert using(cloud, later)["user"]["name"] == "alice"


def test_what_keystone_says_is_invalid_is_remembered(cloud: Owner) -> None:
    async def twice(keystone: Keystone, _: KeystoneApi) -> list[Any]:
        return [await keystone.token("gAAAAAmarker-unknown"), await keystone.token("gAAAAAmarker-unknown")]

    assert using(cloud, twice) == [None, None]
    assert cloud.keystone.asked("gAAAAAmarker-unknown") == 1


def test_the_account_logs_in_once_and_again_when_its_token_is_revoked(cloud: Owner) -> None:
    def logins() -> int:
        return len([seen for seen in cloud["identity"].all("/v3/auth/tokens") if seen.method == "POST"])

    async def work(_: Keystone, api: KeystoneApi) -> None:
        for _number in range(3):
            assert (await api.by_account("GET", "/v3/projects?name=x&domain_id=y"))[0] == 200
        assert logins() == 1
        cloud.keystone.revoke_account()
        assert (await api.by_account("GET", "/v3/projects?name=x&domain_id=y"))[0] == 200
        assert logins() == 2

    using(cloud, work)


def test_a_wrong_password_of_the_account_is_named(cloud: Owner) -> None:
    (cloud.folder / "password").write_text("wrong")
    with pytest.raises(AccountError, match="status 401"):
        using(cloud, lambda _, api: api.by_account("GET", "/v3/projects"))


def test_the_account_reads_the_whole_catalog(cloud: Owner) -> None:
    off = [{"id": "off", "type": "dns", "name": "off", "enabled": False}]
    points = [
        {"id": "1", "service_id": "image", "interface": "public", "region_id": "R", "url": "http://x/v2"},
        {"id": "2", "service_id": "image", "interface": "admin", "region_id": "R", "url": "http://x", "enabled": False},
        {"id": "3", "service_id": "volumes", "interface": "public", "region_id": None, "url": "http://y/$(tenant_id)s"},
        {"id": "4", "service_id": "volumes", "interface": "public", "region_id": "R", "url": "http://y/%(user_id)s"},
        {"id": "5", "service_id": "off", "interface": "public", "region_id": "R", "url": "http://z"},
    ]
    services = [{"id": kind, "type": kind, "name": f"the {kind}"} for kind in ("image", "volumes")]
    cloud["identity"].on("/v3/services", reply(200, {"services": services + off}))
    cloud["identity"].on("/v3/endpoints", reply(200, {"endpoints": points}))
    image, volumes = using(cloud, lambda keystone, api: KeystoneCatalog(api, keystone).read(None)) or []
    seen = {"id": "1", "interface": "public", "region": "R", "region_id": "R", "url": "http://x/v2"}
    assert image == {"id": "image", "type": "image", "name": "the image", "endpoints": [seen]}
    assert [point["url"] for point in volumes["endpoints"]] == ["http://y/%(project_id)s"]


@pytest.mark.parametrize("account", ["none", "without the right"])
def test_without_an_account_the_catalog_is_a_services(cloud: Owner, account: str) -> None:
    changed = {"account": None} if account == "none" else {}
    cloud["identity"].on("/v3/services", reply(403, {"error": {"code": 403}}))
    askers = [
        cloud.keystone.issue("bob", "member"),
        cloud.keystone.issue("nova", "service", project=None, system={"all": True}),
        cloud.keystone.issue("nova", "service"),
    ]

    async def read(keystone: Keystone, api: KeystoneApi) -> list[Any]:
        catalog = KeystoneCatalog(api, keystone)
        return [await catalog.read(asker) for asker in (None, *askers)]

    nobody, member, system, service = using(cloud, read, **changed)
    assert nobody is member is system is None
    assert service == json.loads(json.dumps(cloud.catalog()).replace(PROJECT, "%(project_id)s"))


def test_access_rules_name_services_by_any_of_their_names() -> None:
    rules = [{"service": "volumev3", "method": "GET", "path": "/v3/**"}]
    body = {"application_credential": {"access_rules": rules}}
    assert access_rules.of(body) == (Rule("block-storage", "GET", "/v3/**"),)
