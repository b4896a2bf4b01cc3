"""Lists, limits and usage of several clouds, through real gateways: three clouds, a peer that has gone away and one that never answers."""

import json
from typing import Any

import pytest
from tests.gateway.lists import ROWS
from tests.gateway.several import ALL, NAMES, Three, places, walked
from tests.gateway.wire import TOKEN, ask, connect, raw, reply, scope, until


@pytest.mark.parametrize("by_id", [False, True], ids=["links", "last id"])
@pytest.mark.parametrize("kind", ROWS)
def test_walks_find_everything_once_for_every_page_size(three: Three, kind: str, by_id: bool) -> None:
    service, path = ROWS[kind]
    base = three.gateway.url(service)
    given = scope(**{service: ALL})
    whole = walked(three, kind, f"{base}{path}?limit=100", given, by_id=False)
    assert sorted(whole) == three.everything(kind)
    for limit in (1, 2, 5, len(whole)):
        assert walked(three, kind, f"{base}{path}?limit={limit}", given, by_id=by_id) == whole


def test_who_does_not_answer_is_named_and_harms_nothing(three: Three) -> None:
    answer = ask(three.gateway.url("image"), "/v2/images?limit=2", scope(image=f"{ALL} & Dead"))
    assert (answer.status, len(answer.json["images"])) == (200, 2)
    assert answer.get("X-Scope-Missing") == "Dead;code=peer.unreachable"


def test_who_is_late_is_named_at_the_deadline_that_the_client_sets(three: Three) -> None:
    given = scope(image="CloudOne & Silent") | {"X-Scope-Timeout": "0.5"}
    answer = ask(three.gateway.url("image"), "/v2/images", given)
    assert (answer.status, answer.get("X-Scope-Missing")) == (200, "Silent;code=peer.timeout")
    line = three.gateway.line("/v2/images")
    assert (line["decision"], line["peer"], line["status"]) == ("several", None, 200)
    assert {leg["peer"] for leg in line["legs"]} == {"CloudOne", "Silent"}


@pytest.mark.parametrize(
    ("require", "status"),
    [("all", 502), ("any", 200), ("1", 200), ("2", 502), ("3", 502)],
    ids=str,
)
def test_the_client_says_how_many_must_answer(three: Three, require: str, status: int) -> None:
    given = scope(image="CloudOne & Dead") | {"X-Scope-Require": require}
    answer = ask(three.gateway.url("image"), "/v2/images", given)
    assert answer.status == status
    if status == 502:
        assert answer.code == "scope.incomplete"
        assert "Dead" in answer.error


@pytest.mark.parametrize(
    "wish", [("X-Scope-Timeout", "0"), ("X-Scope-Timeout", "soon"), ("X-Scope-Require", "0"), ("X-Scope-Require", "some"), ("X-Scope-Annotate", "x")]
)  # fmt: skip
def test_malformed_wishes_are_refused(three: Three, wish: tuple[str, str]) -> None:
    answer = ask(three.gateway.url("image"), "/v2/images", scope(image=ALL) | dict([wish]))
    assert (answer.status, answer.code) == (400, "request.malformed")
    assert wish[0] in answer.error


def test_items_say_their_cloud_if_that_is_wished(three: Three) -> None:
    answer = ask(three.gateway.url("image"), "/v2/images?limit=9", scope(image=ALL) | {"X-Scope-Annotate": "cloud"})
    assert [item["cloud"] for item in answer.json["images"]] == [cloud for cloud, _ in places("images", answer)]


def test_a_document_says_what_each_cloud_answered_if_that_is_wished(three: Three) -> None:
    base, wish = three.gateway.url("image"), {"X-Scope-Annotate": "answers, cloud"}
    answer = ask(base, "/v2/images?limit=4", scope(image=f"{ALL} & Dead") | wish)
    told = {leg.pop("cloud"): leg for leg in answer.json["scope_answers"]}
    assert all(leg.pop("ms") >= 0 for leg in told.values())
    assert [told[name] for name in NAMES] == [
        {"status": 200, "code": None, "items": [cloud for cloud, _ in places("images", answer)].count(name)}
        for name in NAMES
    ]
    assert (told["Dead"]["status"], told["Dead"]["code"]) == (None, "peer.unreachable")
    assert "Dead" in told["Dead"]["message"]
    assert {"cloud"} <= answer.json["images"][0].keys()
    assert "scope_answers" not in ask(base, "/v2/images?limit=4", scope(image=ALL)).json
    # An error says it in any case.
    refused = ask(base, "/v2/images", scope(image="CloudOne & Dead") | {"X-Scope-Require": "all"})
    assert refused.code == "scope.incomplete"
    assert [leg["code"] for leg in refused.json["error"]["scope_answers"]] == [None, "peer.unreachable"]


def test_what_all_refuse_is_refused_as_the_services_do(three: Three) -> None:
    for cloud in three.clouds.values():
        cloud["compute"].on("/v2.1/os-aggregates", reply(403, {"forbidden": {"message": "no"}}))
    answer = ask(three.gateway.url("compute"), "/v2.1/os-aggregates", scope(compute=ALL))
    assert (answer.status, answer.json) == (403, {"forbidden": {"message": "no"}})


def test_limits_are_added_up_and_a_cloud_without_them_is_named(three: Three) -> None:
    for number, name in enumerate(NAMES):
        absolute = {"maxTotalCores": 10 * (number + 1), "totalCoresUsed": number, "maxServerMeta": 128 - number}
        three.clouds[name]["compute"].on("/v2.1/limits", always({"limits": {"rate": [], "absolute": absolute}}))
    answer = ask(three.gateway.url("compute"), "/v2.1/limits", scope(compute=f"{ALL} & Dead"))
    assert answer.json == {
        "limits": {"rate": [], "absolute": {"maxTotalCores": 60, "totalCoresUsed": 3, "maxServerMeta": 126}}
    }
    assert answer.get("X-Scope-Missing") == "Dead;code=peer.unreachable"
    answer = ask(three.gateway.url("compute"), "/v2.1/limits", scope(compute=ALL) | {"X-Scope-Annotate": "answers"})
    assert {leg["cloud"]: leg["status"] for leg in answer.json["scope_answers"]} == dict.fromkeys(NAMES, 200)
    deep: Any = 1
    for _ in range(900):
        deep = {"limits": deep}
    odd_documents: list[Any] = [[], deep]
    for odd in odd_documents:
        for name in ("CloudThree", "CloudTwo"):
            three.clouds[name]["compute"].on("/v2.1/limits", always(odd))
        answer = ask(three.gateway.url("compute"), "/v2.1/limits", scope(compute=ALL))
        assert answer.json["limits"]["absolute"]["maxTotalCores"] == 10
        assert answer.get("X-Scope-Missing") == "CloudThree;code=peer.answer, CloudTwo;code=peer.answer"


def always(document: Any) -> Any:
    return lambda _seen, _connection: reply(200, document)


@pytest.mark.parametrize("annotate", [False, True], ids=["as they are", "with the cloud"])
def test_a_large_list_is_sent_in_pieces_as_a_small_one_is_at_once(three: Three, annotate: bool) -> None:
    """3 MB: over what is sent at once, and more items than are sorted in one step."""
    own: dict[str, list[dict[str, str]]] = {}
    for number, name in enumerate(NAMES):
        made = [{"id": f"{name}-{index}", "created_at": f"{9999 - index * 3 - number}"} for index in range(1000)]
        own[name] = [item | {"text": "x" * 1000} for item in made]
        three.clouds[name]["image"].on("/v2/images?tag=large", always({"images": own[name]}))
    wish = {"X-Scope-Annotate": "cloud"} if annotate else {}
    answer = ask(three.gateway.url("image"), "/v2/images?tag=large", scope(image=ALL) | wish)
    assert (answer.status, answer.get("Transfer-Encoding"), answer.get("X-Scope-Missing")) == (200, "chunked", None)
    expected = [item for items in zip(*own.values(), strict=True) for item in items]
    clouds = [{"cloud": name} if annotate else {} for _ in range(1000) for name in NAMES]
    assert answer.json["images"] == [item | cloud for item, cloud in zip(expected, clouds, strict=True)]
    assert three.gateway.line("/v2/images")["status"] == 200
    old = raw(
        three.gateway.url("image"),
        f"GET /v2/images?tag=large HTTP/1.0\r\nX-Auth-Token: {TOKEN}\r\nX-Scope: {json.dumps({'image': ALL})}\r\n\r\n".encode(),
    )
    head, _, body = old.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert len(json.loads(body)["images"]) == 3000


def test_a_client_that_leaves_in_the_middle_of_a_large_list_is_noticed(three: Three) -> None:
    large = {"images": [{"id": f"{index}", "created_at": "1", "text": "x" * 10000} for index in range(1500)]}
    for name in NAMES:
        three.clouds[name]["image"].on("/v2/images?tag=leaves", always(large))
    with connect(three.gateway.url("image")) as connection:
        named = json.dumps({"image": ALL})
        connection.sendall(
            f"GET /v2/images?tag=leaves HTTP/1.1\r\nHost: a\r\nX-Auth-Token: {TOKEN}\r\nX-Scope: {named}\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    until(lambda: any(line["status"] == 499 and line["path"] == "/v2/images" for line in three.gateway.lines()))
