"""Ids at the border: a visitor finds the ids of home wherever they stand, and services find their own."""

import hashlib
import json

import pytest
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


# What JSON libraries spoil: a byte order mark, integers beyond 64 bits, numbers that are none or infinite, lone surrogates, escapes, repeated keys, depth.
ODD = (
    '\ufeff{ "server_group":{"project_id" : "%s",\r\n\t"user_id":"%s", "big": [18446744073709551616, -9223372036854775809, 1.0, 1E400, '
    '0.1000000000000000055511151231257827, NaN, -Infinity], "s": "\\ud800 \\u00e9 é \\/", "twice": 1, "twice": 2,\n'
    ' "project_id": "%s", "metadata": {"of": "%s"}, "deep": ' + "[" * 900 + "]" * 900 + "} }\n"
)


def test_no_byte_changes_beside_the_ids(owners: Owners) -> None:
    own = owners.one.keystone.issue("alice", "member")
    url, there = owners.at_one.url("compute"), scope(compute="CloudTwo") | KIND
    assert ask(url, "/v2.1/bytes", there, token=own).status == 200
    project = owners.two.keystone.stands_for("CloudOne")
    at_home, in_two = ((ODD % (one, user, one, DEMO)).encode() for one, user in ((DEMO, ALICE), (project, HERE)))
    owners.two["compute"].on("/v2.1/bytes-odd", reply(200, in_two, KIND))
    answer = ask(url, "/v2.1/bytes-odd", there, method="POST", body=at_home, token=own)
    assert owners.two["compute"].seen("/v2.1/bytes-odd").raw == in_two
    assert (answer.status, answer.body) == (200, at_home)


@pytest.mark.parametrize(
    ("kind", "service", "path"),
    [
        *(
            (kind, "compute", "/v2.1/kinds")
            for kind in (None, "text/plain", "application/octet-stream", "text/json", "x")
        ),
        ("application/json; charset=utf-8", "compute", "/v2.1/kinds"),
        ("application/x-www-form-urlencoded", "compute", "/v2.1/kinds"),
        ("application/openstack-images-v2.0-json-patch", "image", "/v2/images/kinds"),
        ("application/openstack-images-v2.1-json-patch", "image", "/v2/images/kinds"),
    ],
)
def test_ids_are_mapped_whatever_the_body_is_called(owners: Owners, kind: str | None, service: str, path: str) -> None:
    """Neutron, glance and keystone read JSON under any type, or none; `curl -d` calls it a form."""
    own = owners.one.keystone.issue("alice", "member")
    url, there = owners.at_one.url(service), scope(**{service: "CloudTwo"}) | ({"Content-Type": kind} if kind else {})
    sent = (
        f' [{{"op": "replace", "path": "/owner", "value": "{DEMO}"}}]'
        if service == "image"
        else f'{{"x": {{"project_id": "{DEMO}"}}}}'
    )
    method = "PATCH" if service == "image" else "POST"
    answer = ask(url, path, there, method=method, body=sent.encode(), token=own)
    assert answer.status == 200
    project = owners.two.keystone.stands_for("CloudOne")
    seen = owners.two[service].seen(path)
    assert seen.raw == sent.replace(DEMO, project).encode()
    assert seen.get("Content-Type") == ("application/json" if kind and "form" in kind else kind)


@pytest.mark.parametrize("body", [b"_method=DELETE", b"a=b", b'a={"_method": 1}'])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_crosses_no_border(owners: Owners, kind: str, body: bytes) -> None:
    own = owners.one.keystone.issue("alice", "member")
    given = scope(compute="CloudTwo") | {"Content-Type": kind}
    answer = ask(owners.at_one.url("compute"), "/v2.1/form", given, method="POST", body=body, token=own)
    assert refusal(answer) == (403, "token.scope")
    assert "application/json" in answer.error
    assert not owners.two["compute"].all("/v2.1/form")


def test_what_is_not_json_passes_in_pieces_and_as_a_whole(owners: Owners) -> None:
    token, url = owners.one.token(owners.two), owners.two.peering
    for number, body in enumerate((b"", b"x", b"  x " * 50_000, b" " * 100_000, b"\0{}", b"\xff" * 3_000_000)):
        for kind in ("text/plain", "application/octet-stream"):
            path = f"/v2/images/plain-{number}"
            answer = ask(url, f"/image{path}", {"Content-Type": kind}, method="POST", body=body, token=token)
            assert answer.status == 200
            assert owners.two["image"].seen(path).raw == body


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
