"""Lists of many clouds at once, over real gRPC and real openstacksdk; the clouds are simulated at the wire, and some of them are bad."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from tests.oaktree.failures import detail, violation
from tests.oaktree.world import Oaktree, Simulated

from oaktree.v1 import compute_pb2 as compute_messages
from oaktree.v1 import compute_pb2_grpc, resource_pb2_grpc
from oaktree.v1 import resource_pb2 as resource_messages
from openstackoid.oaktree.resources.structs import to_python

NAMES = ("one", "two", "three")
# Messages are made of dictionaries here, which their types do not tell.
compute_pb2: Any = compute_messages
resource_pb2: Any = resource_messages


@pytest.fixture(scope="module")
def server(clouds: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oaktree]:
    folder = tmp_path_factory.mktemp("oaktree")
    # A second user of cloud one; and a cloud whose Keystone nobody listens at.
    second, dead = clouds.cloud("one", "bob"), clouds.cloud("one")
    dead["auth"]["auth_url"] = "http://127.0.0.1:9/v3"
    file = clouds.clouds_yaml(folder / "clouds.yaml", (*NAMES, "bad"), dead=dead, second=second)
    oaktree = Oaktree(folder, file, timeout=10)
    yield oaktree
    assert oaktree.stop() == 0
    assert "secret-of-alice" not in oaktree.log.read_text()


@pytest.fixture
def compute(server: Oaktree) -> Iterator[Any]:
    with server.channel() as channel:
        yield compute_pb2_grpc.ComputeServiceStub(channel)


def locations(*names: str) -> list[dict[str, str]]:
    return [{"cloud": name} for name in names or NAMES]


def listed(stub: Any, *names: str, **options: Any) -> tuple[list[Any], Any]:
    """All servers, and the summary, which must come last."""
    request = compute_pb2.ListServersRequest(locations=locations(*names), options=options)
    answers = list(stub.ListServers(request, timeout=120))
    assert [each.HasField("summary") for each in answers] == [False] * (len(answers) - 1) + [True]
    return [server for each in answers for server in each.servers], answers[-1].summary


def reasons(summary: Any) -> dict[str, str]:
    """Cloud -> the reason of its error, of those that have one."""
    found = {}
    for result in summary.results:
        if info := detail(result.error, error_details_pb2.ErrorInfo):
            found[result.location.cloud] = info.reason
            assert info.metadata["cloud"] == result.location.cloud
    return found


def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """The code of a call that must fail, and the field that it names."""
    with pytest.raises(grpc.RpcError) as caught:
        list(call) if hasattr(call, "__iter__") else call()
    error: Any = caught.value
    return error.code(), violation(error)


def test_everywhere_is_every_cloud(compute: Any) -> None:
    servers, summary = listed(compute)
    assert sorted(each.name for each in servers) == sorted(f"{cloud}-{index}" for cloud in NAMES for index in range(3))
    assert {(each.location.cloud, each.location.region, each.location.zone) for each in servers} == {
        (name, "RegionOne", "nova") for name in NAMES
    }
    assert {each.location.project for each in servers} == {"demo"}
    assert [(each.location.cloud, each.items, each.HasField("error")) for each in summary.results] == [
        (name, 3, False) for name in sorted(NAMES)
    ]


def test_a_cloud_that_does_not_answer_is_told_in_the_summary(compute: Any) -> None:
    servers, summary = listed(compute, "one", "dead")
    assert len(servers) == 3
    assert reasons(summary)["dead"] in {"CLOUD_UNREACHABLE", "CLOUD_LEFT_ALONE"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("500", {"CLOUD_FAILED"}),
        ("503", {"CLOUD_UNAVAILABLE"}),
        ("429", {"CLOUD_RATE_LIMITED"}),
        ("rubbish", {"CLOUD_ANSWER_INVALID"}),
        ("cut", {"CLOUD_UNREACHABLE", "CLOUD_ANSWER_INVALID"}),
        ("huge", {"CLOUD_ANSWER_TOO_LARGE", "CLOUD_TIMEOUT", "DEADLINE_EXCEEDED"}),
        ("hang", {"CLOUD_TIMEOUT", "DEADLINE_EXCEEDED"}),
    ],
)
def test_a_cloud_that_misbehaves_harms_its_own_results_only(
    compute: Any, clouds: Simulated, fault: str, reason: set[str]
) -> None:
    listed(compute, "bad", refresh=True)  # so that it is authenticated, and only the list goes wrong
    clouds.tell("bad", fault=fault)
    try:
        servers, summary = listed(compute, "one", "bad")
    finally:
        clouds.tell("bad", fault=None)
        wait_for(compute, "bad")
    assert len(servers) == 3
    assert set(reasons(summary)) == {"bad"}
    assert reasons(summary)["bad"] in reason


def wait_for(compute: Any, cloud: str) -> None:
    """Until the breaker lets a cloud be asked again."""
    end = time.monotonic() + 60
    while reasons(listed(compute, cloud)[1]):
        assert time.monotonic() < end
        time.sleep(0.3)


def test_resources_of_strange_forms_are_told_as_far_as_they_go(compute: Any, clouds: Simulated) -> None:
    listed(compute, "bad")
    clouds.tell("bad", fault="strange")
    try:
        servers, summary = listed(compute, "one", "bad")
    finally:
        clouds.tell("bad", fault=None)
    assert len([each for each in servers if each.location.cloud == "one"]) == 3
    # The list ends at what is no resource at all; what came before it, or nothing, is told of that cloud alone.
    assert set(reasons(summary)) <= {"bad"}


def test_the_summary_comes_before_the_callers_deadline(compute: Any, clouds: Simulated) -> None:
    clouds.tell("bad", fault="hang")
    try:
        request = compute_pb2.ListServersRequest(locations=locations("one", "bad"))
        answers = list(compute.ListServers(request, timeout=6))
    finally:
        clouds.tell("bad", fault=None)
        wait_for(compute, "bad")
    assert set(reasons(answers[-1].summary)) == {"bad"}
    assert sum(len(each.servers) for each in answers) == 3


def test_a_caller_who_goes_is_not_worked_for(compute: Any, clouds: Simulated) -> None:
    clouds.tell("bad", latency=600_000)
    try:
        call = compute.ListServers(compute_pb2.ListServersRequest(locations=locations("bad")))
        end = time.monotonic() + 120
        while not clouds.report("bad")["open"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        call.cancel()
        while clouds.report("bad")["open"]:
            assert time.monotonic() < end, "the cloud still holds the request"
            time.sleep(0.05)
    finally:
        clouds.tell("bad", latency=0)
        wait_for(compute, "bad")


def test_filters_mean_the_same_everywhere(compute: Any) -> None:
    # nova takes a name for a part of it: one-1 alone is meant.
    assert [each.name for each in listed(compute, filters={"name": "one-1"})[0]] == ["one-1"]
    assert [each.name for each in listed(compute, filters={"name": "one"})[0]] == []
    assert len(listed(compute, filters={"status": "active", "availability_zone": "nova"})[0]) == 9
    assert listed(compute, filters={"status": "ERROR"})[0] == []


def test_a_query_is_over_the_resource_as_json(compute: Any) -> None:
    found, _ = listed(compute, query="flavor.ram > `100` && ends_with(name, '-2') && location.cloud != 'two'")
    assert sorted(each.name for each in found) == ["one-2", "three-2"]
    assert listed(compute, query="key_name")[0] == []


def test_sorted_over_all_clouds(compute: Any) -> None:
    names = [each.name for each in listed(compute, order_by="name desc")[0]]
    assert names == sorted(names, reverse=True)
    assert len(names) == 9
    both = [(each.location.cloud, each.name) for each in listed(compute, order_by="location.cloud, name desc")[0]]
    assert both == sorted(sorted(both, key=lambda each: each[1], reverse=True), key=lambda each: each[0])


@pytest.mark.parametrize("order", ["", "name"])
def test_pages_bring_each_item_once(compute: Any, order: str) -> None:
    seen: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        servers, summary = listed(compute, order_by=order, page_size=2, page_token=token)
        seen += [each.name for each in servers]
        token, pages = summary.next_page_token, pages + 1
    assert sorted(seen) == sorted(f"{cloud}-{index}" for cloud in NAMES for index in range(3))
    assert pages == (5 if order else 2)
    if order:
        assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"locations": [{"cloud": "nine"}]}, "locations[0].cloud"),
        ({"locations": [{}, {"cloud": "one", "region": "Mars"}]}, "locations[1].cloud"),
        ({"locations": [{"cloud": "../one"}]}, "locations[0].cloud"),
        ({"locations": [{"cloud": "one", "zone": "a\nb"}]}, "locations[0].zone"),
        ({"options": {"query": "contains(name,"}}, "options.query"),
        ({"options": {"query": "a" * 5000}}, "options.query"),
        ({"options": {"query": "(" * 2000}}, "options.query"),
        ({"options": {"order_by": "name sideways"}}, "options.order_by"),
        ({"options": {"filters": {"colour": "blue"}}}, "options.filters.colour"),
        ({"options": {"filters": {"name": ["a"]}}}, "options.filters.name"),
        ({"options": {"filters": {"limit": 3}}}, "options.filters.limit"),
        ({"options": {"page_size": -1}}, "options.page_size"),
        ({"options": {"page_size": 1_000_000}}, "options.page_size"),
        ({"options": {"page_token": "rubbish"}}, "options.page_token"),
        ({"options": {"page_token": "eyJxIjoiMSIsInAiOnt9fQ=="}}, "options.page_token"),
        ({"options": {"max_age": {"seconds": -1}}}, "options.max_age"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_field(compute: Any, change: dict[str, Any], field: str) -> None:
    code, named = refused(compute.ListServers(compute_pb2.ListServersRequest(**change)))
    assert (code, named) == (grpc.StatusCode.INVALID_ARGUMENT, field)


def test_the_generic_service_says_the_same(server: Oaktree, compute: Any) -> None:
    with server.channel() as channel:
        stub = resource_pb2_grpc.ResourceServiceStub(channel)
        request = resource_pb2.ListResourcesRequest(
            kind="compute.server", locations=locations("one"), options={"order_by": "name"}
        )
        found = [each for answer in stub.ListResources(request) for each in answer.resources]
        assert [each.name for each in found] == ["one-0", "one-1", "one-2"]
        assert to_python(found[0].attributes)["flavor"]["ram"] == 512
        assert to_python(found[0].attributes)["status"] == "ACTIVE"
        for request, field in (
            (resource_pb2.ListResourcesRequest(kind="compute.unicorn"), "kind"),
            (resource_pb2.ListResourcesRequest(kind="compute.server_interface"), "parents.server_id"),
            (
                resource_pb2.ListResourcesRequest(kind="compute.server_interface", parents={"server_id": "../x"}),
                "parents.server_id",
            ),
            (resource_pb2.ListResourcesRequest(kind="compute.server", parents={"colour": "x"}), "parents.colour"),
        ):
            assert refused(stub.ListResources(request)) == (grpc.StatusCode.INVALID_ARGUMENT, field)


def test_a_service_that_a_cloud_lacks_is_told_as_missing(server: Oaktree) -> None:
    with server.channel() as channel:
        stub = resource_pb2_grpc.ResourceServiceStub(channel)
        kind = "block_storage.volume"
        listed = stub.ListResources(resource_pb2.ListResourcesRequest(kind=kind, locations=locations("one")))
        assert reasons(list(listed)[-1].summary) == {"one": "SERVICE_MISSING"}
        volume = {"kind": kind, "attributes": {"name": "v", "size": 1}}
        made = stub.CreateResource(resource_pb2.CreateResourceRequest(locations=locations("one"), resource=volume))
        assert reasons(list(made)[-1].summary) == {"one": "SERVICE_MISSING"}


def test_one_resource_by_id_or_name(compute: Any, clouds: Simulated) -> None:
    known = {each.name: each.id for each in listed(compute)[0]}
    by_name = compute.GetServer(compute_pb2.GetServerRequest(id="two-1", location={"cloud": "two"})).server
    by_id = compute.GetServer(compute_pb2.GetServerRequest(id=known["two-1"], location={"cloud": "two"})).server
    assert by_name == by_id
    assert by_name.location.cloud == "two"
    for each in ("", "../flavors", "no such"):
        with pytest.raises(grpc.RpcError) as caught:
            compute.GetServer(compute_pb2.GetServerRequest(id=each, location={"cloud": "two"}))
        assert caught.value.code() == (grpc.StatusCode.NOT_FOUND if each else grpc.StatusCode.INVALID_ARGUMENT)
    assert not any("flavors" in path for _, _, path in clouds.report("two")["requests"])
    with pytest.raises(grpc.RpcError) as caught:
        # The same user's other entry of the same cloud has it as well.
        compute.GetServer(compute_pb2.GetServerRequest(id="one-1"))
    assert caught.value.code() in {grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.UNAVAILABLE}


def test_a_slow_reader_holds_up_nobody_else(compute: Any, clouds: Simulated) -> None:
    clouds.tell("many", servers=5000)
    slow = iter(compute.ListServers(compute_pb2.ListServersRequest(locations=locations("one"))))
    next(slow)
    done = threading.Event()

    def other() -> None:
        assert len(listed(compute)[0]) == 9
        done.set()

    threading.Thread(target=other, daemon=True).start()
    assert done.wait(30)


@pytest.fixture(scope="module")
def cached_lists(clouds: Simulated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oaktree]:
    folder = tmp_path_factory.mktemp("remembering")
    file = clouds.clouds_yaml(folder / "clouds.yaml", ("kept", "other"), again=clouds.cloud("kept", "bob"))
    oaktree = Oaktree(folder, file, cache={"fresh": 600, "stale": 600})
    yield oaktree
    oaktree.stop()


class TestRemembered:
    """Lists that are remembered: each asker's own."""

    @pytest.fixture
    def stub(self, cached_lists: Oaktree) -> Iterator[Any]:
        with cached_lists.channel() as channel:
            yield compute_pb2_grpc.ComputeServiceStub(channel)

    def test_the_cloud_is_asked_once_whatever_is_done_with_the_answer(self, stub: Any, clouds: Simulated) -> None:
        first, summary = listed(stub, "kept")
        assert not summary.results[0].HasField("remembered_at")
        asked = clouds.lists("kept")
        again, summary = listed(stub, "kept", order_by="name desc")
        assert summary.results[0].HasField("remembered_at")
        assert sorted(each.id for each in again) == sorted(each.id for each in first)
        assert [each.name for each in listed(stub, "kept", query="name == 'kept-1'")[0]] == ["kept-1"]
        assert clouds.lists("kept") == asked

    def test_asked_again_when_told_so(self, stub: Any, clouds: Simulated) -> None:
        listed(stub, "kept")
        asked = clouds.lists("kept")
        listed(stub, "kept", refresh=True)
        listed(stub, "kept", max_age={"seconds": 0})
        assert clouds.lists("kept") == asked + 2

    def test_another_user_has_an_answer_of_their_own(self, stub: Any, clouds: Simulated) -> None:
        listed(stub, "kept")
        asked = clouds.lists("kept")
        assert len(listed(stub, "again")[0]) == 3
        assert clouds.lists("kept") == asked + 1

    def test_a_caller_sees_what_they_did(self, stub: Any) -> None:
        before, _ = listed(stub, "other")
        stub.DeleteServer(compute_pb2.DeleteServerRequest(id=before[0].id, location={"cloud": "other"}))
        after, _ = listed(stub, "other")
        assert {each.id for each in after} == {each.id for each in before[1:]}
