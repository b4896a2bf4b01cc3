"""Ids change where they stand for a project or a user, and nowhere else."""

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.volume import volume

from openstackoid.core import id_places as places
from openstackoid.core.id_places import Kind, Level
from openstackoid.core.ids import Ids
from openstackoid.core.json_text import JsonText
from openstackoid.core.services import service_type

VECTORS: Final = json.loads((Path(__file__).parents[1] / "vectors" / "ids.json").read_text())
CASES: Final[list[dict[str, Any]]] = VECTORS["cases"]


class Plain:
    """Ids, for documents as Python objects."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids

    def request(self, service: str, document: Any) -> Any:
        return self._changed(self.ids.request, service, document)

    def answer(self, service: str, document: Any) -> Any:
        return self._changed(self.ids.answer, service, document)

    def _changed(self, change: Callable[[str, JsonText], None], service: str, document: Any) -> Any:
        text = JsonText(json.dumps(document).encode())
        change(service, text)
        return json.loads(text.result())


IN: Final = Ids(VECTORS["projects"], VECTORS["users"])
OUT: Final = Ids(*({new: old for old, new in VECTORS[table].items()} for table in ("projects", "users")))
((HOME, LOCAL),) = VECTORS["projects"].items()
((HOME_USER, LOCAL_USER),) = VECTORS["users"].items()
SERVICES: Final = [*places.SERVICES, "image", "accelerator", ""]

texts = st.one_of(st.sampled_from([HOME, LOCAL, HOME_USER, LOCAL_USER, "", f"http://h/{LOCAL}/%"]), st.text(max_size=5))
keys = st.one_of(
    st.sampled_from(sorted({key for service in places.SERVICES.values() for key in service.answer.fields})),
    st.sampled_from(
        [
            "server",
            "metadata",
            "quota_set",
            "images",
            "member",
            "schema",
            "image_type",
            "path",
            "value",
            "addTenantAccess",
        ]
    ),
    st.text(max_size=5),
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=20,
)


def apply(ids: Ids, case: dict[str, Any], before: Any) -> Any:
    if case["what"] == "url":
        return ids.url(before)
    if case["what"] == "target":
        return ids.target(case["service"], before)
    change = Plain(ids).request if case["direction"] == "request" else Plain(ids).answer
    return change(case["service"], copy.deepcopy(before))


def test_the_names_of_cases_are_unique() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_vector(case: dict[str, Any]) -> None:
    ids = IN if case["direction"] == "request" else OUT
    before = case["before"]
    assert apply(ids, case, before) == case["after"]
    if case["after"] != before:
        assert ids.concerns(json.dumps(before).encode())


def test_services_are_official() -> None:
    assert all(service_type(service) == service for service in (*places.SERVICES, *places.PATCHED))


def filled(level: Level, path: tuple[str, ...] = ()) -> Any:
    """Documents with own ids in known fields only, by the tables, each key of a table once."""
    links = st.sampled_from([f"http://h/v3/{HOME}/x?project_id={HOME}", f"/{HOME}", "http://h/v3/x"])
    value = {Kind.PROJECT: st.just(HOME), Kind.USER: st.just(HOME_USER), Kind.LINK: links}
    fields = {key: value[kind] for key, kind in level.fields.items()}
    if len(path) < 2:
        inner = {key: below for key, below in level.below.items() if below is not None and key not in path}
        if level.other is not None:
            inner["thing"] = level.other
        fields |= {key: filled(below, (*path, key)) for key, below in inner.items() if key not in fields}
    return st.fixed_dictionaries({}, optional=fields)


@pytest.mark.parametrize("service", places.SERVICES)
@given(data=st.data())
def test_there_and_back_is_the_same(service: str, data: st.DataObject) -> None:
    document = data.draw(filled(places.SERVICES[service].answer))
    there = Plain(IN).answer(service, copy.deepcopy(document))
    text = json.dumps(there)
    assert HOME not in text
    assert HOME_USER not in text
    assert Plain(OUT).answer(service, there) == document


@given(st.sampled_from(SERVICES), anything)
def test_any_document_is_taken_and_never_changes_twice(service: str, document: Any) -> None:
    for change in (Plain(IN).request, Plain(IN).answer):
        once = change(service, copy.deepcopy(document))
        assert change(service, copy.deepcopy(once)) == once


def without_ids(document: Any) -> bool:
    return not any(old in json.dumps(document) for old in (HOME, HOME_USER))


@given(st.sampled_from(SERVICES), anything.filter(without_ids))
def test_documents_without_the_ids_stay(service: str, document: Any) -> None:
    assert Plain(IN).request(service, copy.deepcopy(document)) == document
    assert Plain(IN).answer(service, copy.deepcopy(document)) == document


OWN: Final = ["metadata", "meta", "properties", "tags", "extra_specs", "user_data", "os:scheduler_hints"]


@given(st.sampled_from(sorted({*SERVICES} - {"image"})), st.sampled_from(OWN), anything)
def test_users_data_stays(service: str, own: str, data: Any) -> None:
    document = {"server": {own: data, "name": HOME, "description": f"of {HOME}", "user_data": HOME}}
    assert Plain(IN).request(service, copy.deepcopy(document)) == document
    assert Plain(IN).answer(service, copy.deepcopy(document)) == document


@given(st.dictionaries(st.text().filter(lambda key: key not in {"owner", "image_type", "schema"}), texts, min_size=2))
def test_properties_of_images_stay(properties: dict[str, str]) -> None:
    image = properties | {"schema": "/v2/schemas/image"}
    assert Plain(IN).request("image", dict(properties)) == properties
    assert Plain(IN).answer("image", {"images": [dict(image)]}) == {"images": [image]}
    patch = [{"op": "add", "path": f"/{key}", "value": value} for key, value in properties.items()]
    assert Plain(IN).request("image", copy.deepcopy(patch)) == patch


@given(st.sampled_from(SERVICES), st.text())
def test_targets_without_the_ids_stay_to_the_byte(service: str, rest: str) -> None:
    assert IN.target(service, rest) == rest
    assert IN.url(rest) == rest
    target = f"/v2.1/servers?name={rest}&%zz&a=%2B+%c3%bc"
    assert IN.target(service, target) == target


@given(st.sampled_from(sorted({*SERVICES} - {"object-store"})), st.text(alphabet="ab/%2F.&=+~é", max_size=12))
def test_targets_there_and_back(service: str, rest: str) -> None:
    target = (
        f"/v2/{HOME}/{rest}?project_id={HOME}&{rest.replace('/', '')}" if service != "image" else f"/v2/{HOME}/{rest}"
    )
    there = IN.target(service, target)
    assert there == target.replace(HOME, LOCAL)
    assert OUT.target(service, there) == target


def test_percent_encoded_ids_are_ids() -> None:
    encoded = "".join(f"%{ord(letter):02x}" for letter in HOME)
    assert IN.target("compute", f"/v2.1/os-quota-sets/{encoded}?tenant_id={encoded}") == (
        f"/v2.1/os-quota-sets/{LOCAL}?tenant_id={LOCAL}"
    )


def test_an_id_is_encoded_where_it_must_be() -> None:
    ids = Ids({HOME: "a/b c"}, {})
    assert ids.target("compute", f"/v2.1/{HOME}?tenant_id={HOME}") == "/v2.1/a%2Fb%20c?tenant_id=a%2Fb%20c"
    assert ids.url(f"http://h/v1/AUTH_{HOME}/c") == "http://h/v1/AUTH_a%2Fb%20c/c"


def test_a_snapshot_has_ids_that_nova_wrote() -> None:
    image = {"image_type": "snapshot", "owner": HOME, "owner_id": HOME, "user_id": HOME_USER, "colour": HOME}
    mapped = image | {"owner": LOCAL, "owner_id": LOCAL, "user_id": LOCAL_USER}
    assert Plain(IN).request("image", image) == mapped


def test_a_user_is_no_project() -> None:
    ids = Ids({"same": "project"}, {"same": "user"})
    server = {"server": {"tenant_id": "same", "user_id": "same", "id": "same"}}
    assert Plain(ids).answer("compute", server) == {"server": {"tenant_id": "project", "user_id": "user", "id": "same"}}
    assert ids.target("identity", "/v3/users/same/projects?user_id=same") == "/v3/users/user/projects?user_id=user"
    assert ids.target("identity", "/v3/projects/same") == "/v3/projects/project"


def test_two_ids_may_change_places() -> None:
    ids = Ids({"a": "b", "b": "a"})
    document = {"networks": [{"project_id": "a"}, {"project_id": "b"}]}
    assert Plain(ids).answer("network", document) == {"networks": [{"project_id": "b"}, {"project_id": "a"}]}


@pytest.mark.parametrize("ids", [Ids({}), Ids({HOME: HOME}, {HOME_USER: HOME_USER}), Ids({"": "x"})])
def test_nothing_to_change(ids: Ids) -> None:
    assert not ids.changes
    assert not ids.concerns(f'{{"tenant_id": "{HOME}"}}'.encode())
    assert ids.target("compute", f"/v2.1//{HOME}?tenant_id=") == f"/v2.1//{HOME}?tenant_id="
    assert ids.url(f"http://h/{HOME}") == f"http://h/{HOME}"
    assert Plain(ids).answer("compute", {"a": {"tenant_id": ""}}) == {"a": {"tenant_id": ""}}


def test_concerns() -> None:
    assert IN.changes
    assert IN.concerns(f'{{"a": "{HOME}"}}'.encode())
    assert not IN.concerns(f'{{"a": "{LOCAL}"}}'.encode())
    # JSON may write any letter as an escape.
    assert IN.concerns(f'{{"a": "\\u0061{HOME[1:]}"}}'.encode())
    assert Ids({"é": "x"}).concerns(b"{}")
    assert Ids({"a/b": "x"}).concerns(b"{}")


@pytest.mark.parametrize("service", SERVICES)
def test_depth_does_not_matter(service: str) -> None:
    depth = volume(50_000)  # far more than calls can be nested
    deep = JsonText(b'[{"x":' * depth + f'{{"project_id": "{HOME}"}}'.encode() + b"}]" * depth)
    for change in (IN.request, IN.answer):
        change(service, deep)
    assert (LOCAL.encode() in deep.result()) == (service not in {"image", "object-store"})


def test_one_pass() -> None:
    def seconds(count: int) -> float:
        document = {"servers": [{"tenant_id": HOME, "links": [{"href": f"http://h/{HOME}"}]} for _ in range(count)]}
        text = json.dumps(document).encode()
        start = time.process_time()
        IN.answer("compute", JsonText(text))
        return time.process_time() - start

    count = volume(2_000)
    small = min(seconds(count) for _ in range(5))
    assert min(seconds(10 * count) for _ in range(3)) < 40 * small


@pytest.mark.parametrize("written", [LOCAL, LOCAL.replace(LOCAL[0], f"\\u{ord(LOCAL[0]):04x}", 1)])
def test_parts_without_an_id_are_passed_over_and_no_part_with_one(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id alone in the deepest part, in a URL percent-encoded, escaped; and in a document with more places than are remembered."""
    encoded = f"%{ord(LOCAL[0]):02x}{LOCAL[1:]}"
    server = f'{{"id": "x", "links": [{{"rel": "self", "href": "http://h/v2.1/{encoded}/servers/x"}}], "tenant_id": "{written}"}}'
    empty = '{"id": "y", "links": [{"rel": "self", "href": "http://h/v2.1/servers/y"}], "tenant_id": "z"}'
    text = f'{{"servers": [{empty}, {server}, {empty}]}}'.encode()
    results = []
    for most in (100_000, 0):
        monkeypatch.setattr("openstackoid.core.ids._MOST_PLACES", most)
        document = JsonText(text)
        OUT.answer("compute", document)
        results.append(document.result())
    assert results[0] == results[1]
    changed = json.loads(results[0])["servers"]
    assert (changed[1]["tenant_id"], changed[1]["links"][0]["href"]) == (HOME, f"http://h/v2.1/{HOME}/servers/x")
    assert changed[0] == changed[2] == json.loads(empty)
