"""Ids at the border: a visitor finds the ids of home wherever they stand, and services find their own."""

import hashlib
import json

from tests.gateway.conftest import Owners
from tests.gateway.owners import ALICE, DEMO, refusal
from tests.gateway.wire import ask, reply, scope

from openstackoid.trust import tokens

HERE = hashlib.sha256(f"CloudOne\0{ALICE}".encode()).hexdigest()[:32]
KIND = {"Content-Type": "application/json"}


def test_ids_are_mapped_on_both_ways(owners: Owners) -> None:
    own = owners.one.keystone.issue("alice", "member")
    url, there = owners.at_one.url("compute"), scope(compute="CloudTwo") | KIND
    assert ask(url, "/v2.1/first", there, token=own).status == 200
    project = owners.two.keystone.stands_for("CloudOne")
    base = owners.two.frontends["compute"]
    group = {"name": project, "project_id": project, "user_id": HERE, "metadata": {"of": project}}
    created = {"Location": f"{base}/v2.1/{project}/os-groups/1"}
    owners.two["compute"].on(f"/v2.1/{project}/os-groups", reply(201, {"server_group": group}, created))
    sent = {"server_group": {"name": DEMO, "project_id": DEMO, "user_id": ALICE, "metadata": {"of": DEMO}}}
    path = f"/v2.1/{DEMO}/os-groups?project_id={DEMO}&user_id={ALICE}&name={DEMO}"
    answer = ask(url, path, there, method="POST", body=json.dumps(sent).encode(), token=own)
    seen = owners.two["compute"].seen(f"/v2.1/{project}/os-groups")
    assert seen.target == f"/v2.1/{project}/os-groups?project_id={project}&user_id={HERE}&name={DEMO}"
    expected = {"name": DEMO, "project_id": project, "user_id": HERE, "metadata": {"of": DEMO}}
    assert json.loads(seen.raw) == {"server_group": expected}
    assert seen.get("Content-Length") == str(len(seen.raw))
    assert answer.status == 201
    assert answer.json == {"server_group": group | {"project_id": DEMO, "user_id": ALICE}}
    assert answer.get("Location") == f"{owners.at_one.url('compute')}/v2.1/{DEMO}/os-groups/1"


def test_ids_stay_between_services_of_one_cloud(owners: Owners) -> None:
    token = tokens.marked(owners.one.token(owners.two), owners.two.keys)
    project = "b" * 32
    sent = json.dumps({"server": {"tenant_id": DEMO, "user_id": ALICE}}).encode()
    body = {"image": {"tenant_id": project, "user_id": HERE}}
    owners.two["image"].on("/v2/inner", reply(200, body))
    answer = ask(owners.at_two.url("image"), f"/v2/inner/{DEMO}", KIND, method="POST", body=sent, token=token)
    seen = owners.two["image"].seen("/v2/inner")
    assert (seen.target, seen.raw) == (f"/v2/inner/{DEMO}", sent)
    assert answer.json == body


def test_a_document_that_is_too_large_is_refused(owners: Owners) -> None:
    token, url = owners.one.token(owners.two), owners.two.peering
    body = b'{"name": "' + b"x" * (1 << 22) + b'"}'
    answer = ask(url, "/image/v2/images/large", KIND, method="POST", body=body, token=token)
    assert refusal(answer) == (413, "request.large")
    assert not [seen for seen in owners.two["image"].all("/v2/images/large") if seen.whole]
    most = b'{"name": "' + b"x" * ((1 << 22) - 12) + b'"}'
    answer = ask(url, "/image/v2/images/fits", KIND, method="POST", body=most, token=token)
    assert answer.status == 200
    assert owners.two["image"].seen("/v2/images/fits").raw == most


def test_data_passes_as_it_is(owners: Owners) -> None:
    token, url = owners.one.token(owners.two), owners.two.peering
    data = (json.dumps({"owner": DEMO, "user_id": ALICE}).encode() + b"\xff\0") * 80_000
    assert len(data) > 1 << 22
    kind = {"Content-Type": "application/octet-stream"}
    assert ask(url, "/image/v2/images/x/file", kind, method="PUT", body=data, token=token).status == 200
    assert owners.two["image"].seen("/v2/images/x/file").raw == data
    answered = reply(200, data, {"Content-Type": "application/octet-stream"})
    owners.two["image"].on("/v2/images/y/file", answered)
    assert ask(url, "/image/v2/images/y/file", token=token).body == data
