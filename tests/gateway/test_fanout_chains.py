"""One request to clouds of several kinds of owners, whose services go on to a third cloud: as nova does, which validates the token and asks for an image.

CloudOne     home of the users, where the request enters
CloudTwo     of another owner; takes its images from CloudThree, with a token that home made for that
CloudThree   of a third owner; gets pseudonyms of users; allows CloudTwo's users images alone
CloudNear    of CloudOne's owner: gets the user's own token
"""

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import ALICE, DEMO, Owner, payload, plain
from tests.gateway.wire import Cloud, Gateway, Seen, ask, reply, scope, until

from openstackoid.core.partial import read_items, read_missing
from openstackoid.trust import tokens

SERVERS: Final = "/v2.1/servers/detail"
IMAGE: Final = "/v2/images/chained"
EXCHANGE: Final = "/openstackoid/v1/token"
SERVING: Final = ("CloudOne", "CloudTwo", "CloudThree", "CloudNear")


@dataclass
class Chain:
    """The clouds, and their gateways by name."""

    one: Owner
    two: Owner
    three: Owner
    near: Cloud
    gateways: dict[str, Gateway]

    @property
    def clouds(self) -> dict[str, Cloud]:
        """The clouds that have servers."""
        return {cloud.name: cloud for cloud in (self.one, self.two, self.three, self.near)}

    def exchanges(self) -> int:
        """How many tokens for a third cloud home has made."""
        lines = self.gateways["CloudOne"].lines()
        return len([line for line in lines if line["path"] == EXCHANGE and line["status"] == 200])


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("chains")
    one, two, three = (Owner(name, folder / name) for name in SERVING[:3])
    near = Cloud("CloudNear", paths=False)
    images, servers = {"services": ["image"]}, {"services": ["image", "compute"], "projects": "each:default"}
    peers: dict[Owner, dict[str, Any]] = {
        one: {
            "CloudTwo": two.entry(servers),
            "CloudThree": three.entry(images | {"pseudonyms": True}),
            "CloudNear": {"url": near.frontends["identity"], "token": "pass-through"},
        },
        two: {"CloudOne": one.entry(servers), "CloudThree": three.entry(images)},
        three: {"CloudOne": one.entry(servers), "CloudTwo": two.entry(images)},
    }
    at_near = Gateway(folder / "near", near.config(peers={"CloudOne": {"url": one.frontends["identity"]}}))
    try:
        with federated({owner: {"peers": given} for owner, given in peers.items()}) as started:
            at_near.ready()
            gateways = {owner.name: gateway for owner, gateway in started.items()} | {"CloudNear": at_near}
            made = Chain(one, two, three, near, gateways)
            until(lambda: all(_met(owner, gateways[owner.name]) for owner in (one, two, three)))
            until(lambda: at_near.up() == {"CloudOne"})
            for number, cloud in enumerate(made.clouds.values()):
                cloud["compute"].on(SERVERS, _compute(cloud, gateways[cloud.name], number))
            yield made
    finally:
        at_near.end()
        code = at_near.stop()
        near.close()
    assert code == 0
    assert "Traceback" not in at_near.said


def _met(owner: Owner, gateway: Gateway) -> bool:
    return all(
        peer["state"] == "up" and (name == "CloudNear" or peer["agreement"]["theirs"] == "active")
        for name, peer in owner.known(gateway).items()
    )


def _compute(cloud: Cloud, gateway: Gateway, number: int) -> Any:
    """A compute service with one server, whose owner is who asks; it asks its gateway who that is, and for an image, with the token that it got."""
    service = cloud.keystone.issue("nova", "service") if isinstance(cloud, Owner) else "gAAAAAmarker-nova"

    def servers(seen: Seen, _: socket.socket) -> bytes:
        token = seen.get("X-Auth-Token") or ""
        said = ask(gateway.url("identity"), "/v3/auth/tokens", {"X-Subject-Token": token}, token=service)
        image = ask(gateway.url("image"), IMAGE, token=token)
        if said.status != 200 or image.status != 200:
            return reply(500, {"computeFault": {"message": f"{said.body!r} {image.body!r}", "code": 500}})
        server = {
            "id": f"{number:08x}-0000-4000-8000-000000000000",
            "created": f"2030-01-0{number + 1}T00:00:00Z",
            "tenant_id": said.json["token"]["project"]["id"],
            "user_id": said.json["token"]["user"]["id"],
            "metadata": {"image_from": image.json["cloud"], "user": said.json["token"]["user"]["id"]},
        }
        return reply(200, {"servers": [server]})

    return servers


def test_services_of_a_fan_out_go_on_to_a_third_cloud(chain: Chain) -> None:
    own = chain.one.keystone.issue("alice", "member", "reader")
    named, before = scope(compute="CloudOne & CloudTwo & CloudThree", image="CloudThree"), chain.exchanges()
    answer = ask(chain.gateways["CloudOne"].url("compute"), SERVERS, named, token=own)
    assert (answer.status, answer.get("X-Scope-Missing")) == (200, None), answer.body
    assert read_items(answer.get("X-Scope-Items") or "") == ["CloudThree", "CloudTwo", "CloudOne"]
    servers = dict(zip(("CloudThree", "CloudTwo", "CloudOne"), answer.json["servers"], strict=True))
    # Whatever ids the services know, the user finds their own.
    assert {(one["tenant_id"], one["user_id"]) for one in servers.values()} == {(DEMO, ALICE)}
    assert {one["metadata"]["image_from"] for one in servers.values()} == {"CloudThree"}
    users = {name: one["metadata"]["user"] for name, one in servers.items()}
    assert users["CloudOne"] == ALICE
    assert len(set(users.values())) == 3

    pseudonym = tokens.pseudonym(ALICE, "CloudThree", chain.one.keys)
    for cloud, subject in ((chain.two, ALICE), (chain.three, pseudonym)):
        claims = payload(plain(cloud["compute"].seen(SERVERS)))
        assert (claims["iss"], claims["aud"], claims["sub"]) == ("CloudOne", cloud.name, subject)
        assert "&" not in json.dumps(claims["os_scope"])
    # To CloudThree's images comes its own service, CloudOne's with a token of home, and CloudTwo's with one by an exchange.
    arrived = [payload(plain(seen)) for seen in chain.three["image"].all(IMAGE)]
    assert {(claims["iss"], claims["aud"], claims["sub"]) for claims in arrived} == {
        ("CloudOne", "CloudThree", pseudonym)
    }
    assert [claims["act"] for claims in arrived if "act" in claims] == [{"sub": "CloudTwo"}]
    assert chain.exchanges() == before + 1


def test_services_of_a_fan_out_come_home(chain: Chain) -> None:
    """A peer of one's own owner brings the user's token back as it is; one of another owner has it unsealed at home."""
    own, before = chain.one.keystone.issue("alice", "member", "reader"), len(chain.one["image"].all(IMAGE))
    named = scope(compute="CloudNear & CloudTwo", image="CloudOne")
    answer = ask(chain.gateways["CloudOne"].url("compute"), SERVERS, named, token=own)
    assert (answer.status, answer.get("X-Scope-Missing")) == (200, None), answer.body
    assert read_items(answer.get("X-Scope-Items") or "") == ["CloudNear", "CloudTwo"]
    assert {one["metadata"]["image_from"] for one in answer.json["servers"]} == {"CloudOne"}
    assert {(one["tenant_id"], one["user_id"]) for one in answer.json["servers"]} == {(DEMO, ALICE)}
    assert plain(chain.near["compute"].seen(SERVERS)) == own
    assert own not in str(chain.two["compute"].requests)
    assert [plain(seen) for seen in chain.one["image"].all(IMAGE)][before:] == [own, own]


def test_all_clouds_with_one_that_allows_images_alone(chain: Chain) -> None:
    """A peer that allows no compute is named with its code, and its compute service is not reached."""
    own, gateway = chain.two.keystone.issue("alice", "member", "reader"), chain.gateways["CloudTwo"]
    before = len(chain.three["compute"].requests)
    answer = ask(gateway.url("compute"), SERVERS, scope(compute="*"), token=own)
    assert answer.status == 200, answer.body
    assert read_missing(answer.get("X-Scope-Missing") or "") == [("CloudThree", "agreement.rule")]
    assert read_items(answer.get("X-Scope-Items") or "") == ["CloudTwo", "CloudOne"]
    assert len(answer.json["servers"]) == 2
    refused = ask(gateway.url("compute"), SERVERS, scope(compute="*") | {"X-Scope-Require": "all"}, token=own)
    assert (refused.status, refused.code) == (502, "scope.incomplete")
    assert {leg["cloud"]: leg["code"] for leg in refused.json["error"]["scope_answers"]} == {
        "CloudOne": None,
        "CloudTwo": None,
        "CloudThree": "agreement.rule",
    }
    assert len(chain.three["compute"].requests) == before
    # What it allows, it serves as before.
    shown = ask(gateway.url("image"), "/v2/images/allowed", scope(image="CloudThree"), token=own)
    assert (shown.status, shown.json["cloud"]) == (200, "CloudThree")


def test_a_third_cloud_that_some_cannot_reach_takes_away_only_those(chain: Chain) -> None:
    """CloudTwo and CloudThree do not know CloudNear: the lists of the others come."""
    own = chain.one.keystone.issue("alice", "member", "reader")
    named = scope(compute=" & ".join(SERVING), image="CloudNear")
    answer = ask(chain.gateways["CloudOne"].url("compute"), SERVERS, named, token=own)
    assert answer.status == 200, answer.body
    missed = read_missing(answer.get("X-Scope-Missing") or "")
    assert sorted(cloud for cloud, _ in missed) == ["CloudThree", "CloudTwo"]
    assert read_items(answer.get("X-Scope-Items") or "") == ["CloudNear", "CloudOne"]
    assert {one["metadata"]["image_from"] for one in answer.json["servers"]} == {"CloudNear"}
