"""Several clouds of several owners in one request: each gets a token of its own, and what an agreement does not allow is missed."""

import json
import socket
from typing import Final

from tests.gateway.conftest import Owners
from tests.gateway.wire import Seen, ask, reply, scope

from openstackoid.core.partial import read_items, read_members, read_missing

PATH: Final = "/v2.1/servers/detail?who=several"


def test_clouds_of_other_owners_take_part(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member", "reader")
    for number, owner in enumerate((owners.one, owners.two, owners.three)):
        server = {"id": f"{number:08x}-0000-4000-8000-000000000000", "created": f"2030-01-0{number + 1}T00:00:00Z"}
        owner["compute"].on(PATH, reply(200, {"servers": [server]}))
    answer = ask(owners.at_one.url("compute"), PATH, scope(compute="CloudOne & CloudTwo & CloudThree"), token=mine)
    assert (answer.status, answer.get("X-Scope-Missing")) == (200, None), answer.body
    assert read_items(answer.get("X-Scope-Items") or "") == ["CloudThree", "CloudTwo", "CloudOne"]
    assert len(answer.json["servers"]) == 3
    tokens = {owner["compute"].seen(PATH).get("X-Auth-Token") for owner in (owners.one, owners.two, owners.three)}
    assert len(tokens) == 3
    assert not any("&" in str(token) for token in tokens)
    line = owners.at_one.line(PATH.partition("?")[0])
    assert (line["decision"], line["home"], len(line["legs"])) == ("several", "CloudOne", 3)


def test_a_peer_that_allows_something_else_is_missed_and_harms_nothing(owners: Owners) -> None:
    mine = owners.one.keystone.issue("alice", "member", "reader")
    owners.one["network"].on("/v2.0/ports", reply(200, {"ports": [{"id": "1"}]}))
    answer = ask(owners.at_one.url("network"), "/v2.0/ports", scope(network="CloudOne & CloudTwo"), token=mine)
    assert (answer.status, answer.json["ports"]) == (200, [{"id": "1"}]), answer.body
    assert [cloud for cloud, _ in read_missing(answer.get("X-Scope-Missing") or "")] == ["CloudTwo"]
    refused = ask(
        owners.at_one.url("network"), "/v2.0/ports", scope(network="CloudOne & CloudTwo") | {"X-Scope-Require": "all"}, token=mine
    )  # fmt: skip
    assert (refused.status, refused.code) == (502, "scope.incomplete")
    assert "CloudTwo" in json.dumps(refused.json)


def test_a_create_is_in_clouds_of_other_owners_too(owners: Owners) -> None:
    mine, path = owners.one.keystone.issue("alice", "member", "reader"), "/v2.1/os-keypairs"
    clouds = (owners.one, owners.two, owners.three)

    def keypairs(seen: Seen, _: socket.socket) -> bytes:
        return reply(201, {"keypair": {"name": "ours"}}) if seen.method == "POST" else reply(404, {})

    for owner in clouds:
        owner["compute"].on(path, keypairs)
    given = scope(compute="CloudOne & CloudTwo & CloudThree") | {"Content-Type": "application/json"}
    body = json.dumps({"keypair": {"name": "ours", "public_key": "ssh-ed25519 AAAA"}}).encode()
    answer = ask(owners.at_one.url("compute"), path, given, method="POST", body=body, token=mine)
    assert answer.status == 201, answer.body
    assert read_members(answer.get("X-Scope-Replicas") or "") == dict.fromkeys(
        ("CloudOne", "CloudTwo", "CloudThree"), "ours"
    )
    sent = [[seen for seen in owner["compute"].all(path) if seen.method == "POST"] for owner in clouds]
    assert [len(requests) for requests in sent] == [1, 1, 1]
    assert len({requests[0].get("X-Auth-Token") for requests in sent}) == 3
    assert {requests[0].raw for requests in sent} == {body}
