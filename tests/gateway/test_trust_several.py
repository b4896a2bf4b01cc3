"""Several clouds of several owners in one request: each gets a token of its own, and what an agreement does not allow is missed."""

import json
from typing import Final

from tests.gateway.conftest import Owners
from tests.gateway.wire import ask, reply, scope

from openstackoid.core.partial import read_items, read_missing

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
