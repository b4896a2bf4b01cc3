"""A cloud that is broken does not look as if a resource were gone: NOT_FOUND comes from the service that owns it, and from nobody else."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import yaml
from grpc import StatusCode
from tests.oaktree.failures import reason
from tests.oaktree.keystone import entry
from tests.oaktree.nova import Nova
from tests.oaktree.upstream import Seen, reply, until, upstream
from tests.oaktree.world import Oaktree

from oaktree.client import Oaktree as Client
from oaktree.v1 import cloud_pb2, compute_pb2
from oaktree.v1.common_pb2 import CHANGE_CURRENT, Condition
from oaktree.v1.location_pb2 import Location
from openstackoid.oaktree import statuses

ABSENT = "11111111-2222-4333-8444-555555555555"
LONG = 60.0
# What a proxy answers that has no route: nginx, Traefik, Kong, APISIX, HAProxy in front of nothing.
UNROUTED = {
    "nginx": (b"<html><head><title>404 Not Found</title></head><body>nginx</body></html>", "text/html"),
    "traefik": (b"404 page not found", "text/plain"),
    "kong": (b'{"message": "no Route matched with those values"}', "application/json"),
    "apisix": (b'{"error_msg": "404 Route Not Found"}', "application/json"),
    "empty": (b"", "text/plain"),
}


def unrouted(proxy: str) -> bytes:
    body, kind = UNROUTED[proxy]
    return reply(404, body, {"Content-Type": kind})


class Behind(Nova):
    """Keystone is well; the proxy before Nova has lost its route, or gets one."""

    def __init__(self, proxy: str) -> None:
        self.route = False
        self.proxy = proxy
        super().__init__()

    def _version(self, path: str) -> bytes | None:
        return super()._version(path) if self.route or not path.startswith("/compute") else unrouted(self.proxy)

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        return super()._serve(seen, path) if self.route else unrouted(self.proxy)


@dataclass
class Broken:
    """An oaktree before clouds of which each is broken in its own way, and one that is well."""

    client: Client
    behind: dict[str, Behind]
    names: list[str]


def _nowhere(proxy: str) -> Callable[..., bytes]:
    return lambda *_: unrouted(proxy)


def _keystone_itself(*_: object) -> bytes:
    body = {"error": {"code": 404, "message": "The resource could not be found.", "title": "Not Found"}}
    return reply(404, body, {"x-openstack-request-id": "req-1"})


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    with contextlib.ExitStack() as stack:
        clouds = {f"keystone-{proxy}": entry(stack.enter_context(upstream(_nowhere(proxy))).url) for proxy in UNROUTED}
        clouds["keystone-itself"] = entry(f"{stack.enter_context(upstream(_keystone_itself)).url}/wrong")
        behind = {f"nova-{proxy}": stack.enter_context(contextlib.closing(Behind(proxy))) for proxy in UNROUTED}
        clouds |= {name: entry(cloud.url) for name, cloud in behind.items()}
        names = list(clouds)
        clouds["well"] = entry(stack.enter_context(contextlib.closing(Nova())).url)
        folder = tmp_path_factory.mktemp("broken")
        (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": clouds}))
        server = Oaktree(folder, folder / "clouds.yaml", watch={"interval": 0.1}, timeout=10)
        stack.callback(server.stop)
        yield Broken(Client(stack.enter_context(server.channel())), behind, names)


def get(client: Client, cloud: str) -> Any:
    wanted = compute_pb2.GetServerRequest(id=ABSENT, location=Location(cloud=cloud))
    return client.compute.GetServer(wanted, timeout=LONG)


def delete(client: Client, cloud: str) -> Any:
    wanted = compute_pb2.DeleteServerRequest(id=ABSENT, location=Location(cloud=cloud), allow_missing=True)
    return client.compute.DeleteServer(wanted, timeout=LONG)


def watch(client: Client, cloud: str) -> Any:
    wanted = compute_pb2.WatchServerRequest(id=ABSENT, location=Location(cloud=cloud), until=Condition(gone=True))
    return list(client.compute.WatchServer(wanted, timeout=LONG))


def rest(client: Client, cloud: str) -> Any:
    wanted = cloud_pb2.GetRestInfoRequest(location=Location(cloud=cloud), service="compute")
    return client.clouds.GetRestInfo(wanted, timeout=LONG)


CALLS = {"get": get, "delete": delete, "watch": watch, "rest": rest}


def refused(call: Callable[[Client, str], Any], client: Client, cloud: str) -> tuple[StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(client, cloud)
    return caught.value.code(), reason(caught.value)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_a_broken_cloud_is_no_sign_that_a_server_is_gone(broken: Broken, name: str) -> None:
    found = {cloud: refused(CALLS[name], broken.client, cloud) for cloud in broken.names if name != "rest" or cloud.startswith("keystone")}  # fmt: skip
    assert set(found.values()) == {(StatusCode.UNAVAILABLE, "CLOUD_DISCOVERY_FAILED")}, found


def test_what_is_looked_for_everywhere_may_be_in_the_broken_one(broken: Broken) -> None:
    for call in (get, delete, watch):
        assert refused(call, broken.client, "")[1] == "CLOUD_DISCOVERY_FAILED"


def test_a_list_says_it_of_each(broken: Broken) -> None:
    answers = list(broken.client.compute.ListServers(compute_pb2.ListServersRequest(), timeout=LONG))
    found = {each.location.cloud: statuses.reason(each.error) for each in answers[-1].summary.results}
    assert found == {**dict.fromkeys(broken.names, "CLOUD_DISCOVERY_FAILED"), "well": ""}


def test_nova_itself_says_that_a_server_is_gone(broken: Broken) -> None:
    assert refused(get, broken.client, "well") == (StatusCode.NOT_FOUND, "NOT_FOUND")
    assert not delete(broken.client, "well").id
    assert watch(broken.client, "well")


def test_a_watch_outlasts_a_route_that_is_lost_for_a_while(broken: Broken) -> None:
    cloud = broken.behind["nova-nginx"]
    cloud.route = True
    server = cloud.boot(status="ACTIVE")
    place = Location(cloud="nova-nginx")
    wanted = compute_pb2.WatchServerRequest(id=server, location=place, until=Condition(gone=True))
    changes: Any = broken.client.compute.WatchServer(wanted, timeout=LONG)
    assert next(changes).change == CHANGE_CURRENT
    asked = len(cloud.asked)
    cloud.route = False
    until(lambda: len(cloud.asked) > asked + 2)
    cloud.route = True
    cloud.change(server, status="SHUTOFF")
    assert next(changes).server.status == "SHUTOFF"
    changes.cancel()
