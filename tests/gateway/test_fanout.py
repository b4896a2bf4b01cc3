"""Several clouds in one request, through real gateways: three clouds, a peer that has gone away and one that never answers."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import pytest
from tests.gateway.lists import ROWS, FakeCloud, next_link, row, shown
from tests.gateway.wire import TOKEN, Cloud, Gateway, Seen, ask, nobody, reply, scope, until

NAMES: Final = ("CloudOne", "CloudTwo", "CloudThree")
ALL: Final = "CloudOne & CloudTwo & CloudThree"
IMAGE: Final = "{:08x}-0000-4000-8000-000000000000"
COPY: Final = IMAGE.format(0xC0B1)


@dataclass
class Three:
    clouds: dict[str, Cloud]
    gateway: Gateway  # of CloudOne
    gateways: list[Gateway]
    lists: dict[tuple[str, str], FakeCloud]  # by kind of list and cloud

    def everything(self, kind: str) -> list[tuple[str, str]]:
        return sorted(
            (name, found.id(item)) for (of, name), found in self.lists.items() if of == kind for item in found.items
        )

    def asked(self, service: str, path: str) -> list[str]:
        """The clouds whose service was asked for a path."""
        return [
            name
            for name, cloud in self.clouds.items()
            for seen in cloud[service].requests
            if seen.target.startswith(path)
        ]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    folder = tmp_path_factory.mktemp("three")
    clouds = {name: Cloud(name, paths=name != "CloudOne") for name in NAMES}
    lists = {(kind, name): items(kind, number) for kind in ROWS for number, name in enumerate(NAMES)}
    for number, (name, cloud) in enumerate(clouds.items()):
        for kind, (service, path) in ROWS.items():
            cloud[service].on(path, listed(lists[kind, name]))
        cloud["image"].on("/v2/images/", image(name, number))
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    quiet = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with nobody() as away:
        urls: dict[str, dict[str, Any]] = {
            name: {"url": clouds[name].frontends["identity"].removesuffix("/identity")} for name in NAMES
        }
        gone = dict.fromkeys(("image", "compute"), f"http://127.0.0.1:{away}")
        odd: dict[str, Any] = {
            "Dead": {"url": f"http://127.0.0.1:{away}", "services": gone},
            "Silent": {"url": quiet, "services": {"image": quiet}},
        }
        urls["CloudTwo"]["labels"] = ["edge"]
        peers = {"CloudTwo": urls["CloudTwo"], "CloudThree": urls["CloudThree"]} | odd
        saved = {"everywhere": {"image": ALL}}
        started = [
            Gateway(folder / "one", clouds["CloudOne"].config(peers=peers, scopes=saved, labels=["far"])),
            Gateway(folder / "two", clouds["CloudTwo"].config(peers={"CloudOne": urls["CloudOne"]})),
            Gateway(
                folder / "three", clouds["CloudThree"].config(peers={"CloudOne": urls["CloudOne"]}, labels=["far"])
            ),
        ]
        try:
            for gateway in started:
                gateway.ready()
            until(lambda: _up(started[0]) >= {"CloudTwo", "CloudThree"})
            yield Three(clouds, started[0], started, lists)
        finally:
            for gateway in started:
                gateway.end()
            codes = [gateway.stop() for gateway in started]
            silent.close()
            for cloud in clouds.values():
                cloud.close()
    assert codes == [0, 0, 0]
    assert not any("Traceback" in gateway.said for gateway in started)


def _up(gateway: Gateway) -> set[str]:
    told = ask(gateway.url("image"), "/openstackoid/v1/peers", token=None).json
    return {peer["name"] for peer in told["peers"] if peer["state"] == "up"}


def items(kind: str, number: int) -> FakeCloud:
    found: list[dict[str, Any]] = []
    for index in range(4 * number + 3):
        name, created = "abc"[(index + number) % 3], f"2030-01-0{index % 4 + 1}T00:00:00Z"
        item = {"id": f"{number}-{index:02}", "name": name, "created": created, "created_at": created}
        found.append({"keypair": {"name": item["id"]}} if kind == "keypairs" else item)
    return FakeCloud(row(kind), found)


def listed(found: FakeCloud) -> Any:
    def answer(seen: Seen, _: socket.socket) -> bytes:
        got = found.answer(seen.target.partition("?")[2])
        return reply(got.status, json.loads(got.body))

    return answer


def image(name: str, number: int) -> Any:
    """The images of a cloud: one of its own, and a copy that CloudTwo and CloudThree have."""
    mine = {IMAGE.format(number)} | ({COPY} if number else set())

    def answer(seen: Seen, _: socket.socket) -> bytes:
        wanted = seen.target.partition("?")[0].split("/")[3]
        if wanted not in mine:
            return reply(404, {"message": "no such image"})
        if seen.target.endswith("/file"):
            return reply(200, (name * 20000).encode(), {"Content-Type": "application/octet-stream"})
        return reply(200, {"id": wanted, "name": name, "odd": 1e400}, {"ETag": name})

    return answer


def places(kind: str, answer: Any) -> list[tuple[str, str]]:
    names, _, runs = str(answer.get("X-Scope-Items")).partition(";")
    clouds: list[str] = []
    for run in runs.split():
        index, _, count = run.partition("*")
        clouds += [names.split()[int(index)]] * int(count or 1)
    ids = [str(shown(item, row(kind).marker)) for item in answer.json[row(kind).items]]
    return list(zip(clouds, ids, strict=True))


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


def walked(three: Three, kind: str, url: str, given: dict[str, str], *, by_id: bool) -> list[tuple[str, str]]:
    base, found = three.gateway.url(ROWS[kind][0]), []
    first = asked = url.removeprefix(base)
    while True:
        answer = ask(base, asked, given)
        assert (answer.status, answer.get("X-Scope-Missing")) == (200, None), answer.body
        here = places(kind, answer)
        found += here
        link = next_link(row(kind), answer.json)
        if by_id:
            if not here:
                return found
            path, _, query = first.partition("?")
            asked = f"{path}?{urlencode([*parse_qsl(query), ('marker', here[-1][1])])}"
        elif link is None:
            return found
        else:
            # Links lead to this gateway; those of glance begin at the version.
            assert link.startswith((base, "/v2/"))
            asked = link.removeprefix(base)


def test_no_target_sees_an_operator(three: Three) -> None:
    path = "/v2.1/servers/detail?who=sees"
    given = scope(compute=ALL, image="CloudOne & CloudTwo", network="CloudThree")
    assert ask(three.gateway.url("compute"), path, given).status == 200
    seen = {name: cloud["compute"].seen("/v2.1/servers/detail?who=sees") for name, cloud in three.clouds.items()}
    for name, request in seen.items():
        token, _, text = str(request.get("X-Auth-Token")).partition("!SCOPE!")
        assert token == TOKEN
        assert request.get("X-Scope") is None
        assert json.loads(text) == {
            "*": "CloudOne",
            "compute": name,
            "identity": "CloudOne",
            "image": "CloudTwo" if name == "CloudTwo" else "CloudOne",
            "network": "CloudThree",
            "placement": name,
            "block-storage": name,
        }


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


def test_a_thing_is_found_where_it_is_and_that_is_remembered(three: Three) -> None:
    path = f"/v2/images/{IMAGE.format(2)}"
    for _ in range(3):
        answer = ask(three.gateway.url("image"), path, scope(image=ALL))
        assert (answer.status, answer.json["name"], answer.get("X-Scope-Cloud")) == (200, "CloudThree", "CloudThree")
    assert three.asked("image", path).count("CloudThree") == 3
    assert three.asked("image", path).count("CloudTwo") == 1


def test_what_several_have_is_refused_with_the_places(three: Three) -> None:
    answer = ask(three.gateway.url("image"), f"/v2/images/{COPY}", scope(image=ALL))
    assert (answer.status, answer.code) == (409, "scope.ambiguous")
    assert "CloudTwo, CloudThree" in answer.error or "CloudThree, CloudTwo" in answer.error


def test_what_nobody_has_is_404_only_if_all_say_so(three: Three) -> None:
    base = three.gateway.url("image")
    assert ask(base, f"/v2/images/{IMAGE.format(99)}", scope(image=ALL)).json == {"message": "no such image"}
    answer = ask(base, f"/v2/images/{IMAGE.format(99)}", scope(image=f"{ALL} & Dead"))
    assert (answer.status, answer.code) == (502, "scope.incomplete")
    # A name may be anybody's: clients go on and look through the list.
    answer = ask(base, "/v2/images/some-name", scope(image=f"{ALL} & Dead"))
    assert (answer.status, answer.get("X-Scope-Missing")) == (404, "Dead;code=peer.unreachable")


@pytest.mark.parametrize("expression", [ALL, "Dead | CloudOne | CloudTwo | CloudThree"])
def test_image_data_comes_from_where_it_is(three: Three, expression: str) -> None:
    answer = ask(three.gateway.url("image"), f"/v2/images/{IMAGE.format(1)}/file", scope(image=expression))
    assert (answer.status, answer.body) == (200, b"CloudTwo" * 20000)


@pytest.mark.parametrize("expression", ["Dead | CloudTwo", "CloudTwo | Dead", "Dead & Dead | CloudTwo | CloudThree"])
def test_the_first_that_answers(three: Three, expression: str) -> None:
    answer = ask(three.gateway.url("compute"), "/v2.1/servers/detail?limit=50", scope(compute=expression))
    assert {cloud for cloud, _ in places("servers", answer)} == {"CloudTwo"}
    missing = "Dead;code=peer.unreachable" if expression.startswith("Dead") else None
    assert answer.get("X-Scope-Missing") == missing


def test_the_first_that_has_it(three: Three) -> None:
    path = f"/v2/images/{IMAGE.format(1)}"
    answer = ask(three.gateway.url("image"), path, scope(image="CloudOne | CloudTwo | CloudThree"))
    assert (answer.status, answer.get("X-Scope-Cloud")) == (200, "CloudTwo")
    answer = ask(three.gateway.url("image"), f"/v2/images/{COPY}", scope(image="CloudOne | CloudThree | CloudTwo"))
    assert (answer.status, answer.get("X-Scope-Cloud")) == (200, "CloudThree")
    # By its name clients look for it in the list.
    only = {**three.lists["images", "CloudTwo"].items[0], "id": "only", "name": "only-two"}
    three.lists["images", "CloudTwo"].items.append(only)
    try:
        answer = ask(three.gateway.url("image"), "/v2/images?name=only-two", scope(image="CloudOne | CloudTwo"))
        assert places("images", answer) == [("CloudTwo", "only")]
    finally:
        three.lists["images", "CloudTwo"].items.remove(only)
    answer = ask(three.gateway.url("image"), "/v2/images?name=nobody", scope(image="CloudOne | CloudTwo"))
    assert (answer.status, answer.json["images"]) == (200, [])


@pytest.mark.parametrize(("method", "path"), [("POST", "/v2/images"), ("POST", "/v2/tasks"), ("HEAD", "/v2/images")])
@pytest.mark.parametrize("expression", [ALL, "*"])
def test_a_create_without_a_database_for_operations_is_refused_and_sent_to_nobody(
    three: Three, method: str, path: str, expression: str
) -> None:
    before = {name: len(cloud["image"].requests) for name, cloud in three.clouds.items()}
    body = b"{}" if method == "POST" else None
    answer = ask(three.gateway.url("image"), path, scope(image=expression), method=method, body=body)
    assert answer.status == 501
    assert method == "HEAD" or answer.code == "scope.operators"
    assert path != "/v2/images" or method == "HEAD" or "operations.database" in answer.error
    assert {name: len(cloud["image"].requests) for name, cloud in three.clouds.items()} == before


@pytest.mark.parametrize("expression", [ALL, "*"])
def test_a_change_of_what_several_clouds_have_is_refused(three: Three, expression: str) -> None:
    answer = ask(three.gateway.url("image"), f"/v2/images/{COPY}", scope(image=expression), method="DELETE")
    assert (answer.status, answer.code) == (409, "scope.ambiguous")
    methods = {seen.method for cloud in three.clouds.values() for seen in cloud["image"].requests}
    assert "DELETE" not in methods


def test_what_is_neither_a_list_nor_one_thing_is_refused(three: Three) -> None:
    answer = ask(three.gateway.url("compute"), "/v2.1/os-instance_usage_audit_log", scope(compute=ALL))
    assert (answer.status, answer.code) == (501, "scope.operators")
    assert "/v2.1/os-instance_usage_audit_log" in answer.error


def test_one_cloud_by_operators_is_that_cloud_to_the_byte(three: Three) -> None:
    base = three.gateway.url("image")
    plain = ask(base, "/v2/images?limit=3", scope(image="CloudTwo"))
    for expression in ("CloudTwo & CloudTwo", "@edge", "(CloudTwo)"):
        answer = ask(base, "/v2/images?limit=3", scope(image=expression))
        assert answer.body == plain.body
        assert answer.get("X-Scope-Items") is None
    created = ask(base, "/v2/images", scope(image="@edge"), method="POST", body=b'{"name": "new"}')
    assert created.status == 200  # as the fake answers: it went to one cloud


def test_version_documents_are_of_one_cloud(three: Three) -> None:
    answer = ask(three.gateway.url("image"), "/v2/", scope(image="*"))
    assert (answer.status, answer.json["cloud"]) == (200, "CloudOne")


@pytest.mark.parametrize(
    ("expression", "code"),
    [("@nobody", "scope.empty"), ("CloudOne & Nowhere", "cloud.unknown"), ("around(CloudTwo, 5ms)", "scope.around")],
)
def test_what_means_no_cloud_is_refused(three: Three, expression: str, code: str) -> None:
    answer = ask(three.gateway.url("image"), "/v2/images", scope(image=expression))
    assert (answer.status, answer.code) == (400, code)


def test_labels_are_those_of_the_configuration_or_of_the_peer(three: Three) -> None:
    answer = ask(three.gateway.url("image"), "/v2/images?limit=99", scope(image="@far | CloudOne"))
    assert {cloud for cloud, _ in places("images", answer)} == {"CloudOne", "CloudThree"}


def test_near_clouds_by_round_trips_that_are_measured(three: Three) -> None:
    told = ask(three.gateway.url("image"), "/openstackoid/v1/peers", token=None).json
    trips = {peer["name"]: peer["round_trip_ms"] for peer in told["peers"]}
    assert trips["CloudTwo"] > 0
    assert trips["Dead"] is None
    answer = ask(three.gateway.url("image"), "/v2/images?limit=99", scope(image="around(CloudOne, 60000ms)"))
    assert {cloud for cloud, _ in places("images", answer)} == set(NAMES)
    answer = ask(three.gateway.url("image"), "/v2/images", scope(image="around(CloudOne, 0ms)"))
    assert answer.get("X-Scope-Items") is None  # CloudOne alone: the plain answer


def test_the_plan_is_explained(three: Three) -> None:
    told = ask(
        three.gateway.url("image"),
        "/openstackoid/v1/explain?service=image&path=/v2/images",
        scope(image="@edge & CloudOne | CloudThree"),
        token=None,
    ).json
    assert (told["decision"], told["cloud"]) == ("alternatives", "CloudOne & CloudTwo | CloudThree")
    assert [[target["cloud"] for target in group] for group in told["plan"]] == [
        ["CloudOne", "CloudTwo"],
        ["CloudThree"],
    ]
    refused = ask(
        three.gateway.url("image"),
        "/openstackoid/v1/explain?service=image&path=/v2/images",
        scope(image="@no"),
        token=None,
    ).json
    assert (refused["decision"], refused["error"]["openstackoid_code"]) == ("reject", "scope.empty")


def test_a_saved_scope_may_have_operators(three: Three) -> None:
    base = three.gateway.url("image")
    answer = ask(base, "/scope/everywhere/v2/images?limit=99")
    found = places("images", answer)
    assert {cloud for cloud, _ in found} == set(NAMES)
    assert set(found) <= set(three.everything("images"))


def test_headers_of_several_do_not_come_from_one_cloud(three: Three) -> None:
    three.clouds["CloudTwo"]["network"].on(
        "/v2.0/forged", reply(200, {}, {"X-Scope-Missing": "CloudOne;code=x", "X-Scope-Items": "A;0"})
    )
    answer = ask(three.gateway.url("network"), "/v2.0/forged", scope(network="CloudTwo"))
    assert (answer.get("X-Scope-Missing"), answer.get("X-Scope-Items")) == (None, None)


def test_what_all_refuse_is_refused_as_the_services_do(three: Three) -> None:
    for cloud in three.clouds.values():
        cloud["compute"].on("/v2.1/os-aggregates", reply(403, {"forbidden": {"message": "no"}}))
    answer = ask(three.gateway.url("compute"), "/v2.1/os-aggregates", scope(compute=ALL))
    assert (answer.status, answer.json) == (403, {"forbidden": {"message": "no"}})


def test_clouds_are_counted(three: Three) -> None:
    text = ask(three.gateway.admin, "/metrics", token=None).body.decode()
    assert 'openstackoid_legs_total{cloud="CloudTwo",result="2xx",service="image"}' in text
    assert 'openstackoid_legs_total{cloud="Dead",result="peer.unreachable",service="image"}' in text


def test_limits_are_added_up_and_a_cloud_without_them_is_named(three: Three) -> None:
    for number, name in enumerate(NAMES):
        absolute = {"maxTotalCores": 10 * (number + 1), "totalCoresUsed": number, "maxServerMeta": 128 - number}
        three.clouds[name]["compute"].on("/v2.1/limits", always({"limits": {"rate": [], "absolute": absolute}}))
    answer = ask(three.gateway.url("compute"), "/v2.1/limits", scope(compute=f"{ALL} & Dead"))
    assert answer.json == {
        "limits": {"rate": [], "absolute": {"maxTotalCores": 60, "totalCoresUsed": 3, "maxServerMeta": 126}}
    }
    assert answer.get("X-Scope-Missing") == "Dead;code=peer.unreachable"
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
