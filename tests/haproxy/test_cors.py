"""Pages in browsers with HAProxy in front: whose answer a preflight gets, which has neither token nor scope."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.wire import Seen, ask, reply, scope
from tests.haproxy.world import Fronted, World

PAGE = "https://app.example"
PREFLIGHT = {
    "Origin": PAGE,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "x-auth-token,x-scope",
}


@pytest.mark.parametrize("kind", ["identity", "image", "compute"])
@pytest.mark.parametrize("paths", [False, True])
def test_without_the_setting_a_preflight_reaches_the_service_that_its_path_means(
    world: World, kind: str, *, paths: bool
) -> None:
    cloud = world.three if paths else world.one
    path, name = f"/v2/preflight-{kind}", f"/{kind}" if paths else ""
    service = cloud[kind]

    def as_oslo(seen: Seen, _: object) -> bytes:
        return reply(200, b"", {"Access-Control-Allow-Origin": seen.get("Origin") or "none", "Vary": "Origin"})

    service.on(path, as_oslo)
    service.on(f"{name}{path}", as_oslo)
    answer = ask(cloud.url(kind), path, PREFLIGHT, method="OPTIONS", token=None)
    assert (answer.status, answer.get("Access-Control-Allow-Origin")) == (200, PAGE)
    seen = [*service.all(path), *service.all(f"{name}{path}")][-1]
    assert (seen.method, seen.get("Access-Control-Request-Headers")) == ("OPTIONS", "x-auth-token,x-scope")
    if not paths:  # whose services have other paths than their frontends, which is for the gateway to see
        assert not cloud.passed(path)


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Fronted]:
    """A cloud whose gateway answers browsers."""
    cloud = Fronted("CloudFour", tmp_path / "four")
    cloud["image"].on("/v2", reply(200, {"images": []}, {"Access-Control-Allow-Origin": "*"}))
    cloud.start({}, more={"cors": {"allowed_origins": [PAGE]}})
    try:
        cloud.ready()
        yield cloud
    finally:
        cloud.stop()


def test_with_the_setting_the_gateway_gets_whatever_a_page_sends(answering: Fronted) -> None:
    url = answering.url("image")
    preflight = ask(url, "/v2/images", PREFLIGHT, method="OPTIONS", token=None)
    assert (preflight.status, preflight.get("Access-Control-Allow-Headers")) == (204, "x-auth-token, x-scope")
    # With a token, without one, with Origin as the first header; under a scope that was taught and one that was not.
    for number, headers in enumerate([{}, scope(image="CloudFour"), scope(image="CloudFour"), scope(image="Nowhere")]):
        path = f"/v2/from-a-page-{number}"
        answer = ask(url, path, {"Origin": PAGE} | headers)
        assert [value for name, value in answer.headers if name.lower() == "access-control-allow-origin"] == [PAGE]
        assert answering.passed(path)
    assert ask(url, "/v2/simple", {"Origin": PAGE}, token=None).get("Access-Control-Allow-Origin") == PAGE
    # All others are served as before, without the gateway.
    assert ask(url, "/v2/no-page").get("Access-Control-Allow-Origin") == "*"
    assert not answering.passed("/v2/no-page")
