"""One gateway, called by several names: by users through a proxy that ends TLS, by services without TLS, by names that it does not know."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.conftest import World
from tests.gateway.wire import PROJECT, Cloud, Gateway, ask, reply, scope

LOGIN = b'{"auth": {"identity": {"methods": ["password"]}}}'


class Doors:
    """A cloud with a path a service, whose users call https://cloud.example and whose services call the address."""

    def __init__(self, folder: Path, peer: str) -> None:
        self.cloud = Cloud("CloudDoors", paths=True)
        self.address = self.cloud.frontends["image"].removeprefix("http://").removesuffix("/image")
        self.port = self.address.rpartition(":")[2]
        self.users = f"https://cloud.example:{self.port}"
        self.services = f"http://{self.address}"
        config = self.cloud.config(peers={"CloudTwo": {"url": peer}}, scopes={"saved": {"image": "CloudTwo"}})
        for kind, service in config["services"].items():
            service |= {"frontend": f"{self.users}/{kind}", "listen": self.address}
            service.pop("endpoint", None)
        # One service is in the catalog by a name of its own.
        config["services"]["network"]["endpoint"] = f"http://inside.example:{self.port}/network"
        self.gateway = Gateway(folder, config)

    def ask(self, path: str, host: str, headers: dict[str, str] | None = None, **more: Any) -> Any:
        return ask(self.services, path, (headers or {}) | {"Host": host}, **more)


@pytest.fixture(scope="module")
def doors(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    made = Doors(tmp_path_factory.mktemp("doors"), world.two.url("identity").removesuffix("/identity"))
    try:
        made.gateway.ready()
        yield made
    finally:
        made.gateway.end()
        code = made.gateway.stop()
        made.cloud.close()
    assert code == 0


def test_a_service_is_told_of_tls_where_its_caller_uses_it(doors: Doors) -> None:
    for number, (host, proto) in enumerate(
        [
            (f"cloud.example:{doors.port}", "https"),
            (f"elsewhere.example:{doors.port}", "https"),
            (doors.address, None),
            (f"inside.example:{doors.port}", None),
            (f"INSIDE.example:{doors.port}", None),
        ]
    ):
        assert doors.ask(f"/network/v2.0/door-{number}", host).status == 200
        assert doors.cloud["network"].seen(f"/v2.0/door-{number}").get("X-Forwarded-Proto") == proto


@pytest.mark.parametrize("knows_path", [False, True])
@pytest.mark.parametrize("knows_tls", [False, True])
def test_links_lead_to_the_door_that_was_called(doors: Doors, knows_path: bool, knows_tls: bool) -> None:
    for host, base in ((f"cloud.example:{doors.port}", doors.users), (doors.address, doors.services)):
        scheme = "https" if knows_tls and base == doors.users else "http"
        link = f"{scheme}://{host}{'/identity' if knows_path else ''}/v3"
        doors.cloud["identity"].on("/v3-door", reply(200, {"links": {"self": link}}, {"Location": link}))
        answer = doors.ask("/identity/v3-door", host)
        assert answer.json == {"links": {"self": f"{base}/identity/v3"}}
        assert answer.get("Location") == f"{base}/identity/v3"


def test_links_of_another_cloud_lead_to_the_door_that_was_called(doors: Doors, world: World) -> None:
    theirs = world.two.url("image")
    world.cloud_two["image"].on("/v2/door", reply(200, {"next": f"{theirs}/v2/door?marker=1"}))
    for host, base in ((f"cloud.example:{doors.port}", doors.users), (doors.address, doors.services)):
        answer = doors.ask("/image/v2/door", host, scope(image="CloudTwo"))
        assert answer.json == {"next": f"{base}/image/v2/door?marker=1"}


def test_a_catalog_keeps_the_urls_of_all_doors(doors: Doors) -> None:
    """Horizon and services find the users' URLs in it, and pass them on."""
    doors.cloud["identity"].on("/v3/auth/tokens", reply(201, {"token": {"catalog": catalog(doors)}}))
    answer = doors.ask("/identity/v3/auth/tokens", doors.address, method="POST", body=LOGIN)
    assert answer.json["token"]["catalog"] == catalog(doors)


def catalog(doors: Doors) -> list[dict[str, Any]]:
    def service(kind: str, **urls: str) -> dict[str, Any]:
        points = [{"interface": name, "region": "R", "url": url} for name, url in urls.items()]
        return {"type": kind, "endpoints": points}

    around = "http://10.9.9.9:8774"
    return [
        service("image", public=f"{doors.users}/image", internal=f"{doors.services}/image", admin=f"{around}/image"),
        service("compute", admin=f"{around}/v2.1/{PROJECT}", public=f"{doors.users}/compute/v2.1/{PROJECT}"),
        service("dns", public="http://10.9.9.9:9001", internal=f"{around}/dns"),
    ]


def test_every_endpoint_of_the_catalog_keeps_a_saved_scope(doors: Doors) -> None:
    doors.cloud["identity"].on("/v3/auth/tokens", reply(201, {"token": {"catalog": catalog(doors)}}))
    path = "/scope/saved/identity/v3/auth/tokens"
    answer = doors.ask(path, f"cloud.example:{doors.port}", method="POST", body=LOGIN)
    found = {
        (service["type"], point["interface"]): point["url"]
        for service in answer.json["token"]["catalog"]
        for point in service["endpoints"]
    }
    assert found == {
        ("image", "public"): f"{doors.users}/scope/saved/image",
        ("image", "internal"): f"{doors.services}/scope/saved/image",
        ("image", "admin"): f"{doors.users}/scope/saved/image",
        ("compute", "public"): f"{doors.users}/scope/saved/compute/v2.1/{PROJECT}",
        ("compute", "admin"): f"{doors.users}/scope/saved/compute/v2.1/{PROJECT}",
        # The gateway does not serve it.
        ("dns", "public"): "http://10.9.9.9:9001",
        ("dns", "internal"): "http://10.9.9.9:8774/dns",
    }


@pytest.mark.parametrize(
    "host", ["other.example", "other.example:443", "OTHER.example:443", "192.0.2.9:8443", "[2001:db8::1]:443"]
)
def test_links_keep_a_saved_scope_whatever_the_host_is_called(doors: Doors, host: str) -> None:
    for name in {host, host.removesuffix(":443")}:
        for scheme in ("http", "https"):
            link = f"{scheme}://{name}/v2.1/servers?marker=1"
            doors.cloud["compute"].on("/v2.1/named", reply(200, {"next": link}))
            answer = doors.ask("/scope/saved/compute/v2.1/named", host)
            assert answer.json == {"next": f"{doors.users}/scope/saved/compute/v2.1/servers?marker=1"}


@pytest.mark.parametrize("host", ["a b", "x/../y", "x@y", "http://x", "x" * 300, ""])
def test_a_host_that_is_no_name_changes_no_link(doors: Doors, host: str) -> None:
    document = {"next": f"https://{host}/v2.1/x"}
    doors.cloud["compute"].on("/v2.1/unnamed", reply(200, document))
    assert doors.ask("/scope/saved/compute/v2.1/unnamed", host).json == document
