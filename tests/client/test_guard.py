"""A scope reaches gateways only: a plain cloud would ignore it, and act on its own resources."""

from typing import TYPE_CHECKING, Any

import pytest
import requests
from tests.client.conftest import WELL_KNOWN, FakeCloud

from openstackoid.client.guard import Guard, NoGatewayError

if TYPE_CHECKING:
    from collections.abc import Callable

SCOPED = ("--os-scope", "image=CloudTwo")


def test_a_cloud_without_a_gateway_gets_nothing_of_a_request_with_a_scope(
    run: "Callable[..., int]", bare: FakeCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OS_AUTH_URL", f"{bare.url}/identity")
    assert run("image", "list", *SCOPED) != 0
    assert f"{bare.url} is no OpenStackoid gateway, so it was not sent" in capsys.readouterr().err
    assert [(asked.path, asked.token) for asked in bare.asked] == [(WELL_KNOWN, None)]


def test_without_a_scope_nobody_is_asked(
    run: "Callable[..., int]", bare: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_AUTH_URL", f"{bare.url}/identity")
    assert run("token", "issue") == 0
    assert WELL_KNOWN not in bare.paths()


def test_an_override_around_the_gateway_is_refused(
    run: "Callable[..., int]",
    cloud: FakeCloud,
    bare: FakeCloud,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("OS_IMAGE_ENDPOINT_OVERRIDE", f"{bare.url}/image")
    assert run("image", "list", *SCOPED) != 0
    assert f"{bare.url} is no OpenStackoid gateway" in capsys.readouterr().err
    assert bare.paths() == {WELL_KNOWN}
    assert cloud.logins == 1


def test_an_address_is_looked_at_once(run: "Callable[..., int]", cloud: FakeCloud) -> None:
    assert run("image", "list", *SCOPED) == 0
    assert [asked.path for asked in cloud.asked].count(WELL_KNOWN) == 1
    assert cloud.asked[0].path == WELL_KNOWN


@pytest.mark.parametrize(
    ("status", "body", "gateway"),
    [
        (200, {"cloud": "A", "services": {}}, True),
        (
            503,
            {"error": {"code": 503, "openstackoid_code": "gateway.unreachable"}},
            True,
        ),  # HAProxy, before one that is away
        (404, {"error": {"code": 404, "message": "Not Found"}}, False),
        (200, {"versions": []}, False),
        (200, [], False),
        (404, {"cloud": "A", "services": {}}, False),
    ],
)
def test_what_counts_as_a_gateway(cloud: FakeCloud, status: int, body: Any, gateway: bool) -> None:
    cloud.answer = lambda *_: (status, body, {})  # type: ignore[method-assign]
    with requests.Session() as session:
        Guard.mount(session)
        Guard.mount(session)
        try:
            session.delete(f"{cloud.url}/compute/servers/1", headers={"X-Scope": "{}"}, timeout=30)
        except NoGatewayError:
            sent = False
        else:
            sent = True
    assert sent is gateway
    assert [asked.path for asked in cloud.asked] == [WELL_KNOWN, "/compute/servers/1"][: 1 + gateway]
