"""Operations over oaktrees behind each other: each caller finds all of theirs in one list, and nobody else's."""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests import commands
from tests.haproxy.world import Authority
from tests.oaktree.sites import Caller, Chain, chain, refused
from tests.oaktree.world import Simulated

from oaktree.client import Oaktree as Client
from oaktree.v1 import group_pb2
from oaktree.v1.common_pb2 import STAGE_CREATED, STAGE_UNDONE

PLACES = {"cloud-a": "", "SiteB/cloud-b": "SiteB/", "SiteB/SiteC/cloud-c": "SiteB/SiteC/"}


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory, clouds: Simulated) -> Iterator[Chain]:
    with chain(tmp_path_factory.mktemp("sites"), clouds) as made:
        yield made


def prefix(name: str) -> str:
    return name[: name.rfind("/") + 1]


def test_a_list_has_all_of_a_callers_the_newest_first(sites: Chain) -> None:
    with sites.of("A") as caller:
        before = {each.id for each in caller.operations()}
        made = [caller.create("one", key="key-1"), caller.create("two", "SiteB/cloud-b"), caller.create("three", *PLACES)]  # fmt: skip
        ids = set().union(*(each.ids for each in made))
        assert sorted(map(prefix, ids)) == sorted([*PLACES.values(), "SiteB/", *PLACES.values()])
        found = [each for each in caller.operations() if each.id not in before]
        assert {each.id for each in found} == ids
        assert [each.created_at.ToMilliseconds() for each in found] == sorted((each.created_at.ToMilliseconds() for each in found), reverse=True)  # fmt: skip
        # Under the keys that the caller gave, however deep.
        assert {each.id: each.idempotency_key for each in found} == {each: "key-1" if each in made[0].ids else "" for each in ids}  # fmt: skip
        for each in found:
            assert each.done
            assert caller.operation(each.id) == caller.awaited(each.id) == each
            assert {prefix(part.location.cloud) for part in each.parts} == {prefix(each.id)}
    with sites.of("C") as owner:  # of the last one: it sees what came from B, which is somebody else there
        assert not {each.id for each in owner.operations()} & {
            each.rpartition("/")[2] for each in ids if "/" not in each
        }


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_go_through_all_once_whatever_comes_meanwhile(sites: Chain, size: int) -> None:
    with sites.of("A") as caller:
        for number in range(2):
            caller.create(f"page-{size}-{number}", key=f"page-{size}-{number}")
        expected = [each.id for each in caller.operations()]
        found: list[str] = []
        token = ""
        while True:
            page = caller.page(size, token)
            found += [each.id for each in page.operations]
            assert len(page.operations) == size or not page.next_page_token
            if not (token := page.next_page_token):
                break
            if len(found) < 4:
                caller.create("meanwhile", *([] if size > 2 else ["SiteB/cloud-b"]))
        assert found == expected


@pytest.mark.parametrize("token", ["x", "e30=", "eyJ0IjogMSwgImEiOiBbMSwgIngiXX0=", "eyJ0Ijoge30sICJhIjogW119"])
def test_tokens_of_pages_that_are_none(sites: Chain, token: str) -> None:
    with sites.of("A") as caller:
        assert refused(caller.page, 1, token) == ("INVALID_ARGUMENT", "INVALID_FIELD")


def test_a_key_finds_an_operation_wherever_it_is(sites: Chain) -> None:
    with sites.of("A") as caller:
        for place, before in PLACES.items():
            key = f"key-of-{place}"
            told = caller.create("keyed", place, key=key)
            found = caller.operation(key)
            assert {found.id} == told.ids == {caller.awaited(key).id}
            assert (prefix(found.id), found.idempotency_key) == (before, key)
            assert caller.create("keyed", place, key=key).ids == told.ids
            assert [part.stage for part in caller.undo(key).parts] == [STAGE_UNDONE]
        assert refused(caller.operation, "key-of-nobody") == ("NOT_FOUND", "NOT_FOUND")
        assert refused(caller.operation, "k" * 300) == ("NOT_FOUND", "NOT_FOUND")
        assert refused(caller.awaited, "SiteB/nothing") == ("NOT_FOUND", "NOT_FOUND")
        told = caller.create("both", "SiteB", key="both")
        assert len(told.ids) == 2
        # B has one of its own under it, which comes first.
        assert prefix(caller.operation("both").id) == "SiteB/"


def test_a_group_is_built_in_the_clouds_of_all(sites: Chain) -> None:
    request = group_pb2.BuildGroupRequest()
    for name, attributes in {"a": {"name": "group-a"}, "b": {"name": "group-of-${a.id}"}}.items():
        member = request.members.add(name=name)
        member.resource.kind = "compute.server"
        member.resource.attributes.update({**attributes, "flavor_id": "1", "image_id": "2"})
    with sites.of("A") as caller:
        answers = list(caller.stubs.groups.BuildGroup(request, timeout=120, metadata=caller.metadata))
        assert not any(each.HasField("error") for each in answers[-1].summary.results)
        assert {each.location.cloud: each.items for each in answers[-1].summary.results} == dict.fromkeys(PLACES, 2)
        first = {
            each.resource.location.cloud: each.resource.id
            for each in answers
            if each.member == "a" and each.resource.id
        }
        assert {(cloud, f"group-of-{name}") for cloud, name in first.items()} <= caller.servers()


def test_a_key_that_is_too_long_to_be_passed_on_is_refused(sites: Chain) -> None:
    with sites.of("A") as caller:
        assert refused(lambda: caller.create("long", "SiteB/cloud-b", key="k" * 255)) == ("INVALID_ARGUMENT", "INVALID_FIELD")  # fmt: skip
        told = caller.create("long", "SiteB", key="k" * 220)
        # It is B who cannot pass it on, and so creates nothing.
        assert {cloud: each.code for cloud, each in told.errors.items()} == {"SiteB": grpc.StatusCode.INVALID_ARGUMENT.value[0]}  # fmt: skip
        assert not {cloud for cloud, name in caller.servers() if name == "long"}


def test_one_that_does_not_answer_is_told(tmp_path: Path, clouds: Simulated) -> None:
    with chain(tmp_path, clouds) as sites, sites.of("A") as caller:
        ids = caller.create("here").ids
        sites.servers["C"].stop()
        page = caller.page()
        assert [each.location.cloud for each in page.failures] == ["SiteB/SiteC"]
        assert {each.id for each in page.operations} == {each for each in ids if "SiteC" not in each}
        sites.servers["B"].stop()
        page = caller.page()
        [failure] = page.failures
        assert (failure.location.cloud, failure.error.code) == ("SiteB", grpc.StatusCode.UNAVAILABLE.value[0])
        assert {each.id for each in page.operations} == {each for each in ids if "/" not in each}
        # It may be there.
        assert refused(caller.operation, "key-of-nobody") == ("UNAVAILABLE", "OAKTREE_UNREACHABLE")
        command = (sys.executable, "-m", "openstackoid", "oaktree", "call", "operation", "list", "-f", "json")
        done = commands.run([*command, "--target", sites.servers["A"].address, "--plaintext"], capture_output=True, text=True, check=False)  # fmt: skip
        assert (done.returncode, "SiteB" in done.stderr) == (3, True)
        assert [each["id"] for each in json.loads(done.stdout)] == [each.id for each in page.operations]


def test_callers_that_another_oaktree_knows_by_one_name_find_their_own_alone(tmp_path: Path, clouds: Simulated) -> None:
    authority = Authority(tmp_path)
    everything = {"verbs": ["list", "get", "create", "update", "delete", "watch", "upload", "rest"]}
    settings: dict[str, Any] = {
        "tls": {**authority.pair("localhost"), "client_ca": str(authority.file)},
        "callers": {"certificates": [{"name": each, "san": f"{each}.example", "policy": "all"} for each in ("ops", "dev")]},
        "policies": {"all": everything},
    }  # fmt: skip
    with chain(tmp_path, clouds, **settings) as sites, contextlib.ExitStack() as stack:

        def calling(name: str) -> Caller:
            pair = authority.pair(f"{name}.example")
            files = (authority.file, Path(pair["key"]), Path(pair["certificate"]))
            shown = grpc.ssl_channel_credentials(*(each.read_bytes() for each in files))
            channel = grpc.secure_channel(sites.servers["A"].address, shown, (("grpc.ssl_target_name_override", "localhost"),))  # fmt: skip
            return Caller(Client(stack.enter_context(channel)))

        ops, dev = calling("ops"), calling("dev")
        mine, theirs = ops.create("same", key="key"), dev.create("same", key="key")
        more = dev.create("same")
        assert {each.id for each in ops.operations(1)} == mine.ids
        assert {each.id for each in dev.operations(1)} == theirs.ids | more.ids
        assert mine.ids.isdisjoint(theirs.ids)
        [behind] = [each for each in theirs.ids if prefix(each) == "SiteB/"]
        with sites.of("B") as neighbour:
            sent = {each.idempotency_key for each in neighbour.operations() if f"SiteB/{each.id}" == behind}
        for name in (behind, *(f"SiteB/{each}" for each in sent)):
            assert refused(ops.operation, name) == ("NOT_FOUND", "NOT_FOUND")
            assert refused(ops.undo, name) == ("NOT_FOUND", "NOT_FOUND")
        assert {part.stage for part in dev.operation(behind).parts} == {STAGE_CREATED}


def test_who_brings_credentials_for_it_finds_what_is_theirs_there(tmp_path: Path, clouds: Simulated) -> None:
    with chain(tmp_path, clouds, callers={"tokens": True, "local": True}) as sites:
        with sites.of("B") as direct:
            direct.create("by-b")  # a local user's of B
        with sites.of("A") as caller:
            # B takes no credentials: what it refuses is told, and it tells nothing.
            caller.metadata = (("x-oaktree-token", "SiteB/cloud-b gAAAAABx"),)
            [failure] = caller.page().failures
            assert (failure.location.cloud, failure.error.code) == ("SiteB", grpc.StatusCode.UNAUTHENTICATED.value[0])
