"""A malicious peer of real clouds: its answers lead no client and no service to a thief, and its visitors get no further than rules and marks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import requests
from keystoneauth1.exceptions import ClientException
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token
from tests.gateway.wire import reply
from tests.hostile.programs import Peer, Thief

from openstackoid.core import scope as scopes
from openstackoid.lab import Lab
from openstackoid.trust.claims import Named

from .conftest import User
from .tools import Config, reconfigured, until

RULES = [
    {"service": "compute", "method": "POST", "path": "/v2.1/servers"},
    {"service": "compute", "method": "GET", "path": "/v2.1/flavors/*"},
]
TO_MALLORY = '{"image": "Mallory"}'


@dataclass(frozen=True)
class Hostile:
    """CloudOne, whose peer Mallory is, and what Mallory's visitors can ask there."""

    lab: Lab
    mallory: Peer
    thief: Thief

    def token(self, **changed: Any) -> str:
        """Of a visitor, whose images are at home: with Mallory."""
        one = self.lab.clouds["CloudOne"]
        url = f"{one.peering}/openstackoid/v1/agreement"
        told = requests.get(url, headers=self.mallory.assertion("CloudOne"), verify=str(one.ca), timeout=60).json()
        home = {"*": "CloudOne", "identity": "Mallory", "image": "Mallory"}
        given: dict[str, Any] = {"scope": scopes.parse(json.dumps(home)), "roles": ("member", "reader")} | changed
        return self.mallory.signed("CloudOne", told["agreement"], **given)

    def visit(self, method: str, path: str, token: str, **options: Any) -> requests.Response:
        """At the door for other clouds."""
        one = self.lab.clouds["CloudOne"]
        headers = {"X-Auth-Token": token, "X-Openstackoid-Hops": "Mallory"} | options.pop("headers", {})
        return requests.request(method, one.peering + path, headers=headers, verify=str(one.ca), timeout=60, **options)


@pytest.fixture(scope="module")
def hostile(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    folder = tmp_path_factory.mktemp("mallory")
    mallory, thief = Peer(folder / "peer"), Thief(folder)

    def befriend(config: Config) -> None:
        config["peers"]["Mallory"] = mallory.entry({"rules": RULES, "projects": "each:default"})
        config["timeouts"] = {"refresh": 1}

    def usable() -> bool:
        url = f"{lab.clouds['CloudOne'].frontend('image')}/openstackoid/v1/peers"
        peers = {peer["name"]: peer for peer in requests.get(url, timeout=60).json()["peers"]}
        return bool(peers["Mallory"]["state"] == "up" and peers["Mallory"]["agreement"]["theirs"] == "active")

    try:
        with reconfigured(lab, CloudOne=befriend):
            until(usable)
            yield Hostile(lab, mallory, thief)
    finally:
        mallory.stop()
        thief.stop()


@pytest.fixture(autouse=True)
def honest_again(hostile: Hostile) -> Iterator[None]:
    """Until a test says otherwise, Mallory has an image service as others have."""
    links = [{"rel": "self", "href": f"{hostile.mallory.peering}/image/v2/"}]
    hostile.mallory.answers("/image/", reply(300, {"versions": [{"id": "v2.9", "status": "CURRENT", "links": links}]}))
    hostile.mallory.answers("/image/v2/images", reply(200, {"images": []}))
    yield
    hostile.mallory.forget()
    hostile.thief.got_nothing()


def led_away(hostile: Hostile, how: str) -> bytes:
    thief = hostile.thief.url
    if how == "next":
        return reply(
            200,
            {
                "images": [],
                "first": "/v2/images",
                "next": f"{thief}/v2/images?marker=1",
                "schema": "/v2/schemas/images",
            },
        )
    return reply(int(how), {}, {"Location": f"{thief}/v2/images"})


@pytest.mark.parametrize("how", ["next", "302", "307", "308"])
def test_a_stock_client_is_not_led_away(hostile: Hostile, alice: User, how: str) -> None:
    hostile.mallory.answers("/image/v2/images", led_away(hostile, how))
    done = alice.run("openstack image list --os-scope image=Mallory")
    assert hostile.mallory.all("/image/v2/images")
    assert done.returncode != 0
    hostile.thief.got_nothing()


@pytest.mark.parametrize("how", ["301", "303", "next"])
def test_nor_after_haproxy_has_learned(hostile: Hostile, alice: User, how: str) -> None:
    token, headers = alice.token(), {"X-Scope": TO_MALLORY}
    session = Session(auth=Token(alice.frontend("image"), token))
    get = partial(session.get, f"{alice.frontend('image')}/v2/images", headers=headers)
    for _ in range(5):  # HAProxy has learned meanwhile
        assert get().json() == {"images": []}
    hostile.mallory.answers("/image/v2/images", led_away(hostile, how))
    for _ in range(3):
        with pytest.raises(ClientException):
            get()
    hostile.thief.got_nothing()


def test_nova_is_not_led_away_with_its_service_token(hostile: Hostile, alice: User) -> None:
    flavors = requests.get(
        f"{alice.frontend('compute')}/v2.1/flavors", headers={"X-Auth-Token": alice.token()}, timeout=60
    ).json()["flavors"]
    for status in (301, 302, 307, 308, 200):
        image = str(uuid4())
        there = f"{hostile.thief.url}/v2/images/{image}"
        shown = {"id": image, "status": "active", "direct_url": there, "locations": [{"url": there}], "self": there}
        hostile.mallory.answers("/image/v2/images", reply(status, shown, {"Location": there}))
        wanted = {"name": "lure", "imageRef": image, "flavorRef": flavors[0]["id"], "networks": "none"}
        answer = hostile.visit(
            "POST",
            "/compute/v2.1/servers",
            hostile.token(),
            json={"server": wanted},
            headers={"OpenStack-API-Version": "compute 2.90"},
        )
        assert answer.status_code != 202, answer.text
        hostile.thief.got_nothing()
    asked = hostile.mallory.all("/image/v2/images")
    assert asked, "nova asked nobody"
    assert not [seen for seen in asked if seen.get("X-Service-Token") or "gAAAAA" in repr(seen)]


def test_a_project_named_like_a_path_opens_nothing(hostile: Hostile) -> None:
    honest = hostile.token()
    assert hostile.visit("GET", "/compute/v2.1/flavors/detail", honest).status_code == 200
    assert hostile.visit("GET", "/compute/v2.1/servers", honest).status_code == 403
    named = hostile.token(project=Named("flavors", "flavors", "default", "Default"))
    for path in ("/compute/v2.1/flavors/servers", "/compute/v2.1/flavors/os-keypairs"):
        answer = hostile.visit("GET", path, named)
        assert answer.status_code in {401, 403, 404}, answer.text
        assert set(answer.json()).isdisjoint({"servers", "keypairs"})


def test_around_the_gateway_a_visitors_token_is_none(hostile: Hostile) -> None:
    one, token = hostile.lab.clouds["CloudOne"], hostile.token()
    assert hostile.visit("GET", "/compute/v2.1/flavors/detail", token).status_code == 200
    made = {"network": {"name": "mine"}}
    asks = [("network", "/v2.0/networks"), ("compute", "/v2.1/servers"), ("image", "/v2/images")]
    for kind, path in asks:
        answer = requests.get(one.backend(kind) + path, headers={"X-Auth-Token": token}, timeout=60)
        assert answer.status_code == 401, (kind, answer.text)
    answer = requests.post(
        f"{one.backend('network')}/v2.0/networks", json=made, headers={"X-Auth-Token": token}, timeout=60
    )
    assert answer.status_code == 401, answer.text
