"""Pages in browsers: the gateway says which origins may call, for its own answers and for those of all clouds."""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from pydantic import ValidationError
from tests.chromium import chromium
from tests.gateway.conftest import federated
from tests.gateway.owners import Bare, Owner
from tests.gateway.wire import TOKEN, Answer, Gateway, Seen, Upstream, ask, reply, scope, until

from openstackoid.gateway.settings.sections import CorsSection

PAGE = "https://app.example"
FOREIGN = "https://elsewhere.example"
# What a careless server in front of a service says to everybody.
CARELESS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "X-Careless",
    "X-Object-Meta-Colour": "red",
}
IMAGES = {"images": [{"id": "1" * 32, "name": "cirros", "created_at": "2026-01-01T00:00:00Z"}]}
LARGE = b"x" * 200_000


@dataclass
class Web:
    """A cloud whose gateway answers browsers, a peer of the same owner, a cloud of another owner, and the web servers of two pages."""

    gateway: Gateway
    one: Owner
    plain: Upstream
    bare: Bare
    page: Upstream
    foreign: Upstream

    def ask(self, path: str, origin: str | None = PAGE, method: str = "GET", **headers: str) -> Answer:
        given = ({"Origin": origin} if origin else {}) | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        return ask(self.gateway.url("image"), path, given, method=method, token=TOKEN if method != "OPTIONS" else None)

    def preflight(self, path: str, asked: str = "x-auth-token,x-scope", origin: str = PAGE) -> Answer:
        given = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": asked}
        return self.ask(path, origin, "OPTIONS", **given)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    one, bare = Owner("CloudOne", folder / "one"), Bare("CloudBare")
    plain, page, foreign = (Upstream(lambda _seen, _sock: reply(200, IMAGES, CARELESS)) for _ in range(3))
    for server in (page, foreign):
        server.on("/", reply(200, b"<!doctype html><title>page</title>", {"Content-Type": "text/html"}))
    one["image"].on("/v2/images", reply(200, IMAGES, CARELESS))
    one["image"].on("/v2/own", reply(200, {"own": True}))
    for service in (one["image"], plain):
        service.on("/v2/large", reply(200, LARGE, CARELESS | {"Content-Type": "application/octet-stream"}))
    peers = {
        "CloudPlain": {"url": plain.url, "token": "pass-through", "services": {"image": plain.url}},
        "CloudBare": bare.entry({"services": ["image"]}),
    }
    more = {"cors": {"allowed_origins": [PAGE, page.url], "allow_headers": ["X-Ours"], "expose_headers": ["X-Theirs"]}}
    with federated({one: {"peers": peers, "more": more}}) as started:
        until(lambda: one.known(started[one])["CloudBare"].get("agreement", {}).get("theirs") == "active")
        yield Web(started[one], one, plain, bare, page, foreign)
    for upstream in (plain, bare, page, foreign):
        upstream.close()


def cors(answer: Answer) -> dict[str, list[str]]:
    """What an answer says about origins; each of it once."""
    names = {name.lower() for name, _ in answer.headers if name.lower().startswith("access-control-")}
    return {name: [value for key, value in answer.headers if key.lower() == name] for name in names}


@pytest.mark.parametrize("path", ["/v2/images", "/openstackoid/v1/peers", "/scope/none/v2/images", "/"])
def test_a_preflight_is_answered_by_the_gateway_without_a_token(web: Web, path: str) -> None:
    before = len(web.one["image"].requests)
    answer = web.preflight(path, "x-auth-token, X-Scope-Require,x-object-meta-colour,x-ours,cookie,x-none, ,b@d")
    assert (answer.status, answer.body) == (204, b"")
    assert cors(answer) == {
        "access-control-allow-origin": [PAGE],
        "access-control-allow-methods": ["GET, HEAD, POST, PUT, PATCH, DELETE"],
        "access-control-allow-headers": ["x-auth-token, x-scope-require, x-object-meta-colour, x-ours"],
        "access-control-max-age": ["3600"],
    }
    assert answer.get("Vary") == "Origin"
    assert len(web.one["image"].requests) == before


def test_a_preflight_of_another_origin_is_the_services_own(web: Web) -> None:
    """It passes as without the setting, also an OPTIONS request that is no preflight."""
    for origin in (FOREIGN, f"{PAGE}:8443", PAGE.upper(), "null"):
        answer = web.preflight("/v2/own", origin=origin)
        assert (answer.json, cors(answer)) == ({"own": True}, {}), origin
        assert web.one["image"].seen("/v2/own").get("Origin") == origin
    answer = web.ask("/v2/own", method="OPTIONS")
    assert (answer.json, cors(answer)) == ({"own": True}, {"access-control-allow-origin": [PAGE]} | _exposed(answer))


def _exposed(answer: Answer) -> dict[str, list[str]]:
    return {"access-control-expose-headers": [answer.get("Access-Control-Expose-Headers") or ""]}


@pytest.mark.parametrize(
    ("where", "path"),
    [
        *((where, path) for where in ("CloudOne", "CloudPlain", "CloudBare") for path in ("/v2/images", "/v2/large")),
        ("CloudOne & CloudPlain", "/v2/images"),
    ],
)
def test_every_answer_names_the_origin_once_whoever_gave_it(web: Web, where: str, path: str) -> None:
    token = web.one.keystone.issue("alice", "member")
    given = scope(image=where) | {"Origin": PAGE, "X-Auth-Token": token}
    answer = ask(web.gateway.url("image"), path, given)
    assert answer.status == 200
    assert cors(answer) == {"access-control-allow-origin": [PAGE]} | _exposed(answer)
    assert "Origin" in (answer.get("Vary") or "")
    exposed = (answer.get("Access-Control-Expose-Headers") or "").lower().split(", ")
    if where in {"CloudOne", "CloudPlain"}:
        assert "x-object-meta-colour" in exposed
    if path == "/v2/large" and where != "CloudBare":
        assert answer.body == LARGE
    # No cloud hears whose page it was.
    for upstream, there in ((web.one["image"], path), (web.plain, path), (web.bare, f"/image{path}")):
        assert all(seen.get("Origin") is None for seen in upstream.all(there))


def test_the_gateways_refusals_can_be_read_by_the_page(web: Web) -> None:
    answer = web.ask("/v2/images", X_Scope='{"image": "Nowhere"}')
    assert (answer.status, answer.code) == (400, "cloud.unknown")
    assert cors(answer) == {"access-control-allow-origin": [PAGE]} | _exposed(answer)
    assert "X-Openstack-Request-Id" in (answer.get("Access-Control-Expose-Headers") or "").split(", ")


def test_other_origins_get_nothing_from_the_gateway_or_another_owner(web: Web) -> None:
    for headers in ({"X_Scope": '{"image": "CloudBare"}'}, {"X_Scope": '{"image": "Nowhere"}'}):
        answer = web.ask("/v2/images", FOREIGN, **headers)
        assert cors(answer) == {}
        assert answer.get("Vary") == "Origin"
    assert web.bare.all("/image") == [] or all(seen.get("Origin") is None for seen in web.bare.all("/image"))


def test_two_origins_are_none(web: Web) -> None:
    given = [("Origin", PAGE), ("Origin", PAGE)]
    answer = ask(web.gateway.url("image"), "/openstackoid/v1/peers", given)
    assert (answer.status, cors(answer)) == (200, {})


def test_clouds_that_call_each_other_are_no_browsers(web: Web) -> None:
    given = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    answer = ask(web.one.peering, "/image/v2/images", given, method="OPTIONS", token=None)
    assert (answer.status, cors(answer)) == (401, {})


@pytest.mark.parametrize(
    "origin",
    [
        *(
            "app.example",
            "https://app.example/",
            "https://APP.example",
            "https://app.example:443",
            "http://a:80",
            "null",
        ),
        *(
            "https://u@app.example",
            "https://*.example",
            "ftp://app.example",
            "https://app.example:0",
            "https://a.example\n",
        ),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_in_the_configuration(origin: str) -> None:
    with pytest.raises(ValidationError, match="as browsers send it"):
        CorsSection(allowed_origins=[origin])


@pytest.mark.parametrize("more", [{"allow_credentials": True}, {"allowed_origins": ["*", PAGE]}])
def test_any_origin_stands_alone_and_without_credentials(more: dict[str, Any]) -> None:
    for origin in ("*", PAGE, "http://localhost:8080", "http://[::1]:8080"):
        assert CorsSection(allowed_origins=[origin]).allowed_origins == [origin]
    with pytest.raises(ValidationError, match="stands alone"):
        CorsSection(**({"allowed_origins": ["*"]} | more))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


FETCH = """async ([url, token, scope]) => {
    try {
        const answer = await fetch(url, {headers: {"X-Auth-Token": token, "X-Scope": scope}})
        return {status: answer.status, id: answer.headers.get("X-Openstack-Request-Id"), body: await answer.json()}
    } catch (error) { return {error: String(error)} }
}"""


def test_a_page_in_chromium_uses_another_cloud_and_a_foreign_page_cannot(web: Web, browser: Browser) -> None:
    token = web.one.keystone.issue("alice", "member")
    tab = browser.new_page()

    def fetched(page: Upstream, where: str) -> Any:
        tab.goto(f"{page.url}/")
        return tab.evaluate(FETCH, [f"{web.gateway.url('image')}/v2/images", token, json.dumps({"image": where})])

    there = fetched(web.page, "CloudBare")
    assert (there["status"], there["body"]["cloud"]) == (200, "CloudBare")
    both = fetched(web.page, "CloudOne & CloudPlain")
    assert (both["status"], len(both["body"]["images"])) == (200, 2)
    refused = fetched(web.page, "Nowhere")
    assert (refused["status"], refused["body"]["error"]["openstackoid_code"]) == (400, "cloud.unknown")
    assert refused["id"].startswith("req-")
    before = len(web.bare.all("/image"))
    assert "Failed to fetch" in fetched(web.foreign, "CloudBare")["error"]
    assert len(web.bare.all("/image")) == before  # the preflight was not answered, so nothing was sent
    tab.close()


def test_without_the_setting_the_services_answer_browsers(tmp_path: Path) -> None:
    """Their own configuration decides, as before."""
    one = Owner("CloudOne", tmp_path / "one")

    def as_oslo(seen: Seen, _: socket.socket) -> bytes:
        return reply(200, b"", {"Access-Control-Allow-Origin": seen.get("Origin") or "none", "Vary": "Origin"})

    one["image"].on("/v2", as_oslo)
    with federated({one: {"peers": {}}}) as started:
        given = {"Origin": FOREIGN, "Access-Control-Request-Method": "GET"}
        preflight = ask(started[one].url("image"), "/v2/images", given, method="OPTIONS", token=None)
        answer = ask(started[one].url("image"), "/v2/images", {"Origin": FOREIGN})
        refused = ask(started[one].url("image"), "/v2/images", {"Origin": FOREIGN} | scope(image="Nowhere"))
    assert cors(preflight) == cors(answer) == {"access-control-allow-origin": [FOREIGN]}
    assert (refused.status, cors(refused), refused.get("Vary")) == (400, {}, None)
