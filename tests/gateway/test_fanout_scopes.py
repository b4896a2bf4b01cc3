"""What a scope with operators means: which clouds are asked, and the scope that each of them sees."""

import json

import pytest
from tests.gateway.several import ALL, NAMES, Three, places
from tests.gateway.wire import TOKEN, ask, scope


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
