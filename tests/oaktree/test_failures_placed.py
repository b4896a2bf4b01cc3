"""Errors of single calls: where it failed, whose credential was refused, and whose time was over."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from tests.oaktree.failures import detail, status
from tests.oaktree.keystone import entry
from tests.oaktree.nova import Nova
from tests.oaktree.people import Cloud, token
from tests.oaktree.silent import dead, hung, served
from tests.oaktree.upstream import Seen, reply

from oaktree.client import Oaktree as Client
from oaktree.v1 import cloud_pb2, compute_pb2
from oaktree.v1.location_pb2 import Location

ABSENT = "11111111-2222-4333-8444-555555555555"
LONG = 60.0
# What shows how the server is written.
INTERNALS = ("Pool(", "object at", "Errno", "Max retries", "Caused by", "Connection(", "urllib3", "Error(")


class Refusing(Nova):
    """Its Keystone refuses the password, or its Nova the user."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__()

    def _answer(self, seen: Seen, sock: Any) -> bytes | None:
        if self.where == "keystone" and seen.method == "POST":
            return reply(401, {"error": {"code": 401, "message": "The password is wrong.", "title": "Unauthorized"}})
        return super()._answer(seen, sock)

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        match self.where:
            case "policy":
                return reply(403, {"forbidden": {"code": 403, "message": "Policy does not allow it."}})
            case "nova":
                return reply(500, {"computeFault": {"code": 500, "message": "Unexpected API Error."}})
        return super()._serve(seen, path)


@dataclass
class World:
    """An oaktree, and its clouds by what is wrong there."""

    client: Client


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        refusing = {name: stack.enter_context(contextlib.closing(Refusing(name))) for name in ("keystone", "policy", "nova")}  # fmt: skip
        clouds = {name: entry(cloud.url) for name, cloud in refusing.items()}
        clouds["hung"] = entry(stack.enter_context(hung()))
        clouds["dead"] = entry(dead())
        clouds["well"] = entry(stack.enter_context(contextlib.closing(Nova())).url)
        client = stack.enter_context(served(tmp_path_factory.mktemp("placed"), clouds, timeout=8))
        yield World(client)


def get(client: Client, place: Location) -> Any:
    return client.compute.GetServer(compute_pb2.GetServerRequest(id=ABSENT, location=place), timeout=LONG)


def update(client: Client, place: Location) -> Any:
    asked = compute_pb2.UpdateServerRequest(id=ABSENT, location=place, server=compute_pb2.Server(name="new"))
    return client.compute.UpdateServer(asked, timeout=LONG)


def delete(client: Client, place: Location) -> Any:
    return client.compute.DeleteServer(compute_pb2.DeleteServerRequest(id=ABSENT, location=place), timeout=LONG)


def watch(client: Client, place: Location) -> Any:
    return list(client.compute.WatchServer(compute_pb2.WatchServerRequest(id=ABSENT, location=place), timeout=LONG))


def watch_all(client: Client, place: Location) -> Any:
    return list(client.compute.WatchServer(compute_pb2.WatchServerRequest(location=place), timeout=LONG))


def rest(client: Client, place: Location) -> Any:
    return client.clouds.GetRestInfo(cloud_pb2.GetRestInfoRequest(service="compute", location=place), timeout=LONG)


CALLS = [get, update, delete, watch, watch_all, rest]
WRONG = {
    "keystone": (StatusCode.FAILED_PRECONDITION, {"CLOUD_UNAUTHENTICATED"}),
    "policy": (StatusCode.PERMISSION_DENIED, {"CLOUD_FORBIDDEN"}),
    "hung": (StatusCode.UNAVAILABLE, {"CLOUD_TIMEOUT", "CLOUD_LEFT_ALONE"}),
    "dead": (StatusCode.UNAVAILABLE, {"CLOUD_UNREACHABLE", "CLOUD_LEFT_ALONE"}),
}


def failure(call: Callable[[], Any]) -> tuple[StatusCode, status_pb2.Status, error_details_pb2.ErrorInfo]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    found = status(caught.value)
    return caught.value.code(), found, detail(found, error_details_pb2.ErrorInfo)


@pytest.mark.parametrize("cloud", sorted(WRONG))
def test_a_single_call_says_where_it_failed(world: World, cloud: str) -> None:
    for call in CALLS:
        if (call, cloud) == (rest, "policy"):
            continue  # asks Keystone alone
        code, found, info = failure(lambda call=call: call(world.client, Location(cloud=cloud)))  # type: ignore[misc]
        assert code is WRONG[cloud][0], (call, found)
        assert info.reason in WRONG[cloud][1], (call, found)
        assert (info.metadata["cloud"], info.metadata["region"], info.metadata["service"]) == (
            cloud,
            "RegionOne",
            "compute",
        )
        assert cloud in found.message
        assert not [each for each in INTERNALS if each in found.message], found.message


def test_what_may_be_in_another_cloud_names_that_one(world: World) -> None:
    code, found, info = failure(lambda: get(world.client, Location()))
    assert code is not StatusCode.UNAUTHENTICATED
    assert info.metadata["cloud"] in WRONG, found
    assert info.metadata["service"] == "compute"


def test_a_summary_says_the_same(world: World) -> None:
    answers = list(world.client.compute.ListServers(compute_pb2.ListServersRequest(), timeout=LONG))
    found = {each.location.cloud: each.error for each in answers[-1].summary.results}
    for cloud, (code, reasons) in WRONG.items():
        assert found[cloud].code == code.value[0]
        assert detail(found[cloud], error_details_pb2.ErrorInfo).reason in reasons
        assert not [each for each in INTERNALS if each in found[cloud].message]


def test_the_first_call_to_a_dead_host_says_that_there_is_no_connection(tmp_path: Any) -> None:
    with served(tmp_path, {"dead": entry(dead())}) as client:
        code, found, info = failure(lambda: get(client, Location()))
        assert (code, info.reason) == (StatusCode.UNAVAILABLE, "CLOUD_UNREACHABLE")
        assert "Connection refused" in found.message
        # The next one says that it is left alone, and why, in words too.
        code, found, info = failure(lambda: get(client, Location()))
        assert (code, info.reason) == (StatusCode.UNAVAILABLE, "CLOUD_LEFT_ALONE")
        assert "Connection refused" in found.message
        assert not [each for each in INTERNALS if each in found.message], found.message


def test_the_servers_own_time_is_not_the_callers(tmp_path: Any) -> None:
    with hung() as url, served(tmp_path, {"hung": entry(url)}, timeout=4) as client:
        code, found, info = failure(lambda: get(client, Location()))
        assert (code, info.reason) == (StatusCode.UNAVAILABLE, "CLOUD_TIMEOUT"), found
        answers = list(client.compute.ListServers(compute_pb2.ListServersRequest(), timeout=LONG))
        [result] = answers[-1].summary.results
        assert detail(result.error, error_details_pb2.ErrorInfo).reason in {"CLOUD_TIMEOUT", "CLOUD_LEFT_ALONE"}
        answers = list(client.compute.ListServers(compute_pb2.ListServersRequest(), timeout=3))
        [result] = answers[-1].summary.results
        assert detail(result.error, error_details_pb2.ErrorInfo).reason in {"DEADLINE_EXCEEDED", "CLOUD_LEFT_ALONE"}


def test_a_credential_of_the_callers_that_a_cloud_refuses_is_theirs(tmp_path: Any) -> None:
    with contextlib.closing(Cloud()) as cloud:
        settings = {"callers": {"tokens": {"remember": 60}}}
        with served(tmp_path, {"One": entry(cloud.url)}, **settings) as client:
            theirs = cloud.token("alice")
            metadata = (token("One", theirs),)
            asked = compute_pb2.GetServerRequest(id=ABSENT)
            client.compute.GetServer(asked, metadata=metadata, timeout=LONG)
            cloud.revoke(theirs)
            code, _, info = failure(lambda: client.compute.GetServer(asked, metadata=metadata, timeout=LONG))
            assert (code, info.reason) == (StatusCode.UNAUTHENTICATED, "CLOUD_UNAUTHENTICATED")
            assert (info.metadata["cloud"], info.metadata["service"]) == ("One", "compute")
