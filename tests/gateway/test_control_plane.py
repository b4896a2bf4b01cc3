"""Other clouds' control planes reach this cloud's at the peering listener, and nowhere else."""

from collections.abc import Iterator

import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import Owner
from tests.gateway.wire import Gateway, Upstream, ask, reply

PATH, OFFERS = "/openstackoid/v1/regions/messages", "/openstackoid/v1/regions/offers"


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Upstream]:
    server = Upstream(lambda seen, _: reply(200, {"target": seen.target}))
    yield server
    server.close()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, control_plane: Upstream) -> Iterator[tuple[Owner, Gateway]]:
    owner = Owner("CloudFive", tmp_path_factory.mktemp("cloud") / "five")
    peering = {"url": owner.peering, "regions": control_plane.url}
    with federated({owner: {"peers": {}, "more": {"peering": peering}}}) as started:
        yield owner, started[owner]


def test_a_message_is_passed_on_as_it_is_without_what_it_does_not_need(
    cloud: tuple[Owner, Gateway], control_plane: Upstream
) -> None:
    owner, _ = cloud
    headers = {"X-Openstackoid-Assertion": "signed", "X-Scope": "{}", "X-Forwarded-For": "10.0.0.1", "Cookie": "a=b"}
    answer = ask(owner.peering, f"{PATH}?q=1", headers, method="POST", body=b'{"message": "x"}', token="secret")
    assert (answer.status, answer.json) == (200, {"target": PATH})
    seen = control_plane.seen(PATH)
    assert (seen.method, seen.raw) == ("POST", b'{"message": "x"}')
    assert seen.get("X-Openstackoid-Assertion") == "signed"
    for name in ("X-Auth-Token", "X-Scope", "X-Forwarded-For", "Cookie"):
        assert seen.get(name) is None


def test_it_is_not_reached_from_the_users_side(cloud: tuple[Owner, Gateway]) -> None:
    _, gateway = cloud
    assert ask(gateway.url("image"), OFFERS).status == 404


def test_what_is_too_large_or_another_method_is_refused(cloud: tuple[Owner, Gateway]) -> None:
    owner, _ = cloud
    answer = ask(owner.peering, PATH, method="POST", body=b"x" * ((1 << 20) + 1))
    assert (answer.status, answer.json["error"]["openstackoid_code"]) == (413, "request.large")
    assert ask(owner.peering, PATH, method="DELETE").status == 400


def test_an_error_of_the_control_plane_is_its_answer(cloud: tuple[Owner, Gateway], control_plane: Upstream) -> None:
    owner, _ = cloud
    control_plane.on(PATH, reply(409, {"error": {"openstackoid_code": "message.fork"}}))
    answer = ask(owner.peering, PATH, method="POST", body=b"{}")
    assert (answer.status, answer.json["error"]["openstackoid_code"]) == (409, "message.fork")
    control_plane.on(OFFERS, reply(200, {"x": "y" * (9 << 20)}))
    assert ask(owner.peering, OFFERS).status == 502
