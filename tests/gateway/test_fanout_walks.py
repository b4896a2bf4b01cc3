"""Walks through lists of several clouds: by links and by the last item's id, nothing is lost or doubled, whatever the clouds do."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from tests.gateway.lists import ROWS, FakeCloud, next_link, row, shown
from tests.volume import volume

from openstackoid.core.errors import MarkerError
from openstackoid.core.lists import Listing, listing
from openstackoid.core.plans import Target
from openstackoid.core.scope import Scope
from openstackoid.gateway.fanout.asking import Reply, Turns
from openstackoid.gateway.fanout.listing import Listed, Lister, Question
from openstackoid.gateway.fanout.memory import FanOutMemory
from openstackoid.gateway.fanout.pace import Pace
from openstackoid.gateway.fanout.spooling import Room


def written(page: Listed) -> Any:
    """The document of a page."""
    assert page.body is not None
    return json.loads(page.body.whole())


class Clouds:
    """Several of them, and a client that walks."""

    def __init__(self, of: Listing, clouds: dict[str, FakeCloud]) -> None:
        self.of = of
        self.clouds = clouds
        self.targets = [Target(name, Scope()) for name in sorted(clouds)]
        self.memory = FanOutMemory()
        self.room = Room(memory=16 << 20, disk=16 << 20)

    async def ask(self, target: Target, path: str) -> Reply:
        return self.clouds[target.cloud].answer(path.partition("?")[2])

    async def page(self, query: str, *, annotate: bool = False) -> Listed:
        path = ROWS["servers"][1]
        question = Question(self.of, path, query, "http://one", "key", annotate)
        deadline = asyncio.get_running_loop().time() + 60
        return await Lister(
            question,
            self.targets,
            self.ask,
            deadline,
            Turns(Pace(9), asyncio.Lock(), self.room),
            self.memory,
        ).answer()

    async def walk(
        self, query: str, *, by_id: bool = False, forgets: bool = False, most: int = 400
    ) -> list[tuple[str, str]]:
        """Clouds and ids, in the order of a walk from page to page."""
        found: list[tuple[str, str]] = []
        asked: str | None = query
        for _ in range(most):
            assert asked is not None
            page = await self.page(asked)
            assert page.body is not None
            document = written(page)
            names = [page.names[owner] for owner in page.owners]
            ids = [str(shown(item, self.of.marker)) for item in document[self.of.items]]
            assert len(names) == len(ids)
            found += zip(names, ids, strict=True)
            link = next_link(self.of, document)
            if by_id:
                asked = urlencode([*parse_qsl(query), ("marker", ids[-1])]) if ids else None
            else:
                asked = link.partition("?")[2] if link else None
            if asked is None:
                return found
            if forgets:
                self.memory = FanOutMemory()
        raise AssertionError("the walk does not end")


def made(of: Listing, lists: Iterable[list[tuple[str, str]]], **more: Any) -> Clouds:
    clouds = {}
    for number, things in enumerate(lists):
        items: list[dict[str, Any]] = []
        for index, (name, created) in enumerate(things):
            item = {"id": f"{number}-{index:03}", "name": name, "created": created, "created_at": created}
            items.append({"keypair": {"name": item["id"]}} if of.items == "keypairs" else item)
        clouds[f"Cloud{number}"] = FakeCloud(of, items, **more)
    return Clouds(of, clouds)


LISTS: Final = st.lists(
    st.lists(st.tuples(st.text("ab", max_size=1), st.sampled_from("123")), max_size=9), min_size=1, max_size=4
)
QUERIES: Final = {
    "servers": ["", "sort_key=display_name&sort_dir=asc", "sort_key=node"],
    "brief": ["", "sort_key=display_name"],
    "flavors": [""],
    "keypairs": [""],
    "images": ["", "sort=name:asc,created_at:desc"],
    "networks": ["", "sort_key=name&sort_dir=desc"],
    "projects": [""],
}


@settings(max_examples=volume(60), deadline=None)
@given(
    LISTS,
    st.sampled_from([(kind, query) for kind, some in QUERIES.items() for query in some]),
    st.integers(1, 9),
    st.integers(1, 9),
    st.booleans(),
)
def test_a_walk_finds_everything_once_and_in_one_order(
    lists: list[list[tuple[str, str]]], kind: tuple[str, str], limit: int, largest: int, by_id: bool
) -> None:
    of, query = row(kind[0]), kind[1]

    async def check() -> None:
        clouds = made(of, lists, largest=largest)
        everything = sorted((name, cloud.id(item)) for name, cloud in clouds.clouds.items() for item in cloud.items)
        found = await clouds.walk(f"{query}&limit={limit}".lstrip("&"), by_id=by_id)
        assert sorted(found) == everything
        assert found == await made(of, lists, largest=100).walk(query)
        if not by_id:
            assert sorted(await clouds.walk(query)) == everything
        keys = of.order(parse_qsl(query)).keys
        items = {(name, cloud.id(item)): item for name, cloud in clouds.clouds.items() for item in cloud.items}
        ordered = sorted(found)
        for key in reversed(keys):
            ordered.sort(key=lambda place: shown(items[place], key.field), reverse=key.descending)
        if keys:
            assert [shown(items[place], keys[0].field) for place in found] == [
                shown(items[place], keys[0].field) for place in ordered
            ]

    asyncio.run(check())


@settings(max_examples=volume(40), deadline=None)
@given(LISTS, st.integers(1, 9), st.booleans(), st.sets(st.integers(0, 3)))
def test_clouds_that_know_no_pages_are_walked_as_those_that_do(
    lists: list[list[tuple[str, str]]], limit: int, by_id: bool, without: set[int]
) -> None:
    async def check() -> None:
        clouds = made(row("keypairs"), lists)
        for number in without & set(range(len(lists))):
            clouds.clouds[f"Cloud{number}"].ignores_pages = True
        found = await clouds.walk(f"limit={limit}", by_id=by_id)
        assert found == await made(row("keypairs"), lists, largest=100).walk("")

    asyncio.run(check())


@settings(max_examples=20, deadline=None)
@given(LISTS, st.integers(1, 4))
def test_a_walk_by_the_last_id_needs_no_memory(lists: list[list[tuple[str, str]]], limit: int) -> None:
    async def check() -> None:
        clouds = made(row("servers"), lists)
        found = await clouds.walk(f"limit={limit}", by_id=True, forgets=True)
        assert found == await clouds.walk("limit=100")

    asyncio.run(check())


@settings(max_examples=volume(40), deadline=None)
@given(LISTS, st.integers(1, 4), st.sets(st.integers(1, 6), max_size=4))
def test_a_cloud_that_fails_now_and_then_is_missed_and_loses_nothing_when_it_is_back(
    lists: list[list[tuple[str, str]]], limit: int, failures: set[int]
) -> None:
    async def check() -> None:
        clouds = made(row("images"), [*lists, [("z", "0")] * 30])
        clouds.clouds["Cloud0"].fails = lambda asked: asked in failures
        found = await clouds.walk(f"limit={limit}")
        # The others have items for more pages than the cloud fails.
        everything = [(name, cloud.id(item)) for name, cloud in clouds.clouds.items() for item in cloud.items]
        assert sorted(found) == sorted(everything)

    asyncio.run(check())


async def test_a_cloud_that_answers_the_same_page_for_ever_is_missed() -> None:
    clouds = made(row("servers"), [[("a", str(number)) for number in range(9)] for _ in range(3)])
    clouds.clouds["Cloud1"].ignores_marker = True
    found = await clouds.walk("limit=4")
    assert len(set(found)) == len(found)
    assert {name for name, _ in found} == {"Cloud0", "Cloud1", "Cloud2"}
    assert sum(name != "Cloud1" for name, _ in found) == 18


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"nonsense", b'{"servers": {}}', b'{"servers": [1, 2]}', b'{"servers": [{"name": "x"}]}', b'{"servers": [{"id": null}]}',
        b'{"servers": [{"id": "1", "name": "\xff"}]}', b'{"servers": ' + b"[" * 2000, b'{"servers": [{"id": {}}]}',
    ],
)  # fmt: skip
async def test_rubbish_is_missed_and_harms_nothing(body: bytes) -> None:
    clouds = made(row("servers"), [[("a", "1")], [("b", "2")]])
    good = clouds.clouds["Cloud0"]

    async def ask(target: Target, path: str) -> Reply:
        if target.cloud == "Cloud1":
            return Reply(200, CIMultiDict(), body)
        return good.answer(path.partition("?")[2])

    clouds.ask = ask  # type: ignore[method-assign]
    page = await clouds.page("")
    assert page.body is not None
    assert [item["id"] for item in written(page)["servers"]] == ["0-000"]
    assert [(leg.cloud, leg.code) for leg in page.legs] == [("Cloud0", None), ("Cloud1", "peer.answer")]


@pytest.mark.parametrize("query", ["", "offset=1", "fields=name"])
@pytest.mark.parametrize("before", ["", "\ufeff"])
async def test_items_pass_to_the_byte(query: str, before: str) -> None:
    """Also those that JSON libraries spoil or do not read."""
    of = listing("network", "/v2.0/networks") if "fields" in query else listing("compute", "/v2.1/os-server-groups")
    assert of is not None
    odd = [
        '"big": [18446744073709551616, -9223372036854775809]',
        '"n": [1.0, 1E400, 0.10000000000000000555, NaN, -Infinity], "s": "\\ud800 \\/", "twice": 1,  "twice": 2',
    ]
    clouds = made(row("servers"), [[("a", "1")], [("b", "2")]])
    clouds.of = of
    hidden = ', "id": "%s"' if "fields" in query else ""
    texts = {f"Cloud{number}": f'{{"name": "{number}", {text}{hidden}}}' for number, text in enumerate(odd)}

    async def ask(target: Target, path: str) -> Reply:
        assert path.startswith("/v2")
        item = texts[target.cloud]
        item = item % target.cloud if hidden else item
        return Reply(200, CIMultiDict(), f'{before}{{"x": 18446744073709551616, "{of.items}" : [ {item} ]}}'.encode())

    clouds.ask = ask  # type: ignore[method-assign]
    page = await clouds.page(query)
    assert [leg.code for leg in page.legs] == [None, None]
    shown = [text.removesuffix("}").removesuffix(hidden) + "}" for text in texts.values()]
    expected = ",".join(shown[1:] if "offset" in query else shown)
    assert page.body is not None
    assert page.body.whole() == f'{{"{of.items}":[{expected}],"x":18446744073709551616}}'.encode()


async def test_keys_of_any_kind_are_merged() -> None:
    clouds = made(row("servers"), [[("a", "1")], [("b", "2")], [("c", "3")]])
    for number, odd in enumerate(({"x": 1}, [None], 1.5)):
        clouds.clouds[f"Cloud{number}"].items[0]["created"] = odd
    assert len(await clouds.walk("")) == 3


@pytest.mark.parametrize("marker", ["nowhere", "clouds:1:xx", "clouds:2:"])
async def test_a_marker_that_leads_nowhere_is_refused(marker: str) -> None:
    clouds = made(row("servers"), [[("a", "1")], [("b", "2")]])
    with pytest.raises(MarkerError):
        await clouds.page(urlencode({"marker": marker}))


async def test_a_marker_of_other_clouds_is_refused() -> None:
    two = made(row("servers"), [[("a", "1")] * 5, [("b", "2")] * 5])
    page = await two.page("limit=1")
    link = next_link(row("servers"), written(page))
    one = made(row("servers"), [[("a", "1")] * 5])
    with pytest.raises(MarkerError, match="Cloud1"):
        await one.page((link or "").partition("?")[2])


async def test_an_id_that_two_clouds_have_is_no_marker_without_memory() -> None:
    clouds = made(row("flavors"), [[("a", "1")] * 3, [("b", "2")] * 3])
    for cloud in clouds.clouds.values():
        for index, item in enumerate(cloud.items):
            item["id"] = str(index)
    found = await clouds.walk("limit=1", by_id=True)
    assert len(found) == len(set(found)) == 6
    clouds.memory = FanOutMemory()
    with pytest.raises(MarkerError, match="Cloud0 and Cloud1"):
        await clouds.page("limit=1&marker=1")


async def test_fields_that_pages_need_are_asked_for_and_taken_out_again() -> None:
    clouds = made(row("networks"), [[("b", "1"), ("d", "1")], [("a", "2"), ("c", "1")]])
    page = await clouds.page("fields=created&sort_key=name&sort_dir=asc&limit=3")
    document = written(page)
    assert parse_qs(clouds.clouds["Cloud0"].queries[0])["fields"] == ["created", "id", "name"]
    assert all(not {"id", "name"} & item.keys() for item in document["networks"])
    assert [page.names[owner] for owner in page.owners] == ["Cloud1", "Cloud0", "Cloud1"]
    assert "fields=created&sort_key" in document["networks_links"][0]["href"]
    assert "fields=id" not in document["networks_links"][0]["href"]


async def test_items_say_their_cloud_if_that_is_wished() -> None:
    clouds = made(row("images"), [[("a", "1")], [("b", "2")]])
    page = await clouds.page("", annotate=True)
    assert [(item["cloud"], item["name"]) for item in written(page)["images"]] == [
        ("Cloud1", "b"),
        ("Cloud0", "a"),
    ]


async def test_when_all_fail_there_is_no_list() -> None:
    clouds = made(row("images"), [[("a", "1")], [("b", "2")]])
    for cloud in clouds.clouds.values():
        cloud.status = 400
    page = await clouds.page("limit=2")
    assert page.body is None
    assert [leg.code for leg in page.legs] == ["status.400", "status.400"]


async def test_offsets_and_limits_of_lists_without_markers_hold_over_all() -> None:
    of = listing("compute", "/v2.1/os-server-groups")
    assert of is not None
    clouds = made(row("servers"), [[("a", "1")] * 3, [("b", "2")] * 3])
    clouds.of = of

    async def ask(target: Target, path: str) -> Reply:
        assert path.endswith("?limit=0")
        items = clouds.clouds[target.cloud].items
        return Reply(200, CIMultiDict(), json.dumps({"server_groups": items}).encode())

    clouds.ask = ask  # type: ignore[method-assign]
    page = await clouds.page("limit=2&offset=2")
    assert [item["id"] for item in written(page)["server_groups"]] == ["0-002", "1-000"]
    assert [page.names[owner] for owner in page.owners] == ["Cloud0", "Cloud1"]


@pytest.mark.parametrize(
    "document",
    [
        b'{"servers": [{"id": "\\ud800"}]}',
        b'{"servers": [{"id": "\\udc00\\ud800"}, {"id": "x"}]}',
        b'{"servers": [{"id": "' + b"x" * 256 + b'"}]}',
        b'{"servers": [], "servers_links": [{"rel": "next", "href": "http://peer/x?marker=\\ud800"}]}',
        b'{"servers": [], "servers_links": [{"rel": "next", "href": "http://peer/x?marker=' + b"x" * 256 + b'"}]}',
    ],
)
async def test_a_cloud_whose_markers_fit_in_no_url_is_missed(document: bytes) -> None:
    clouds = made(row("servers"), [[("a", "2"), ("b", "1")], [("c", "3")]])
    clouds.clouds["Cloud1"].body = document
    page = await clouds.page("limit=1")
    assert [leg.code for leg in page.legs] == [None, "peer.answer"]
    assert [shown_["name"] for shown_ in written(page)["servers"]] == ["a"]
    assert len(await clouds.walk("limit=1")) == 2


@pytest.mark.parametrize("counts", [["9" * 4300, "1"], ["1", "9" * 4300], ["-5", "1"], ["true", "1"], ["1e400", "1"]])
async def test_a_count_that_is_none_does_not_end_a_list(counts: list[str]) -> None:
    """The sum of two numbers that can be read may be one that Python does not write."""
    volumes = listing("block-storage", f"/v3/{'a' * 32}/volumes/detail")
    assert volumes is not None
    clouds = made(volumes, [[("a", "2")], [("b", "1")]])
    for cloud, count in zip(clouds.clouds.values(), counts, strict=True):
        cloud.body = b'{"volumes": [], "count": ' + count.encode() + b"}"
    page = await clouds.page("")
    assert [leg.code for leg in page.legs] == [None, None]
    assert written(page)["count"] == 1


async def test_a_cloud_that_answers_what_is_too_deep_to_be_written_is_missed() -> None:
    """At some depth each document can be read and not written."""
    clouds = made(row("servers"), [[("a", "2")], [("b", "1")]])
    for depth in range(850, 1000):
        clouds.clouds["Cloud0"].body = b'{"servers": [], "x": ' + b"[" * depth + b"]" * depth + b"}"
        page = await clouds.page("")
        assert [leg.code for leg in page.legs] == ["peer.answer", None]
