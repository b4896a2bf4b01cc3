"""HEAD under a scope that means several clouds: what GET would answer, without its body."""

import http.client
from urllib.parse import urlsplit

import pytest
from tests.gateway.lists import ROWS
from tests.gateway.several import ALL, IMAGE, NAMES, Three
from tests.gateway.wire import Answer, Seen, ask, reply, scope

OWN = {"x-openstack-request-id", "date"}  # of each answer


def told(answer: Answer) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers if name.lower() not in OWN}


@pytest.mark.parametrize("kind", ROWS)
def test_a_list_has_the_head_of_its_get(three: Three, kind: str) -> None:
    service, path = ROWS[kind]
    base, given = three.gateway.url(service), scope(**{service: ALL})
    before = {name: len(three.clouds[name][service].requests) for name in NAMES}
    whole = ask(base, f"{path}?limit=100", given)
    head = ask(base, f"{path}?limit=100", given, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert told(head) == told(whole)
    assert int(head.get("Content-Length") or 0) == len(whole.body) > 0
    assert head.get("X-Scope-Items")
    # Services need not know HEAD.
    for name in NAMES:
        since = three.clouds[name][service].requests[before[name] :]
        assert {seen.method for seen in since if seen.target.startswith(path)} == {"GET"}
    line = three.gateway.line(path)
    assert (line["method"], line["decision"], line["status"]) == ("HEAD", "several", 200)


def test_what_is_missing_or_refused_is_said_as_well(three: Three) -> None:
    base = three.gateway.url("image")
    head = ask(base, "/v2/images", scope(image=f"{ALL} & Dead"), method="HEAD")
    assert (head.status, head.get("X-Scope-Missing")) == (200, "Dead;code=peer.unreachable")
    given = scope(image=f"{ALL} & Dead") | {"X-Scope-Require": "all"}
    assert (ask(base, "/v2/images", given, method="HEAD").status, ask(base, "/v2/images", given).status) == (502, 502)
    assert ask(base, "/v2/tasks/x/y", scope(image=ALL), method="HEAD").status == 501


def test_one_thing_and_its_data(three: Three) -> None:
    """Image data is not fetched to say how long it is: the cloud that has the image gets the request as it is."""
    base, given = three.gateway.url("image"), scope(image=ALL)
    cloud, identity = "CloudTwo", IMAGE.format(1)

    def data(seen: Seen, _: object) -> bytes:
        return reply(200, b"" if seen.method == "HEAD" else b"data", {"X-Seen": seen.method, "Content-Length": "4"})

    upstream, path = three.clouds[cloud]["image"], f"/v2/images/{identity}"
    upstream.on(f"{path}/file", data)
    for name in (path, f"{path}/file"):
        whole, head = ask(base, name, given), ask(base, name, given, method="HEAD")
        assert (whole.status, head.status, head.body) == (200, 200, b""), name
        assert head.get("Content-Length") == str(len(whole.body))
    assert upstream.seen(f"{path}/file").method == "HEAD"


def test_the_connection_goes_on_after_a_large_list(three: Three) -> None:
    items = [{"id": f"{index}", "created_at": "2030", "text": "x" * 1000} for index in range(1500)]
    for name in NAMES:
        three.clouds[name]["image"].on("/v2/images?tag=head", lambda _seen, _sock: reply(200, {"images": items}))
    connection = http.client.HTTPConnection(urlsplit(three.gateway.url("image")).netloc, timeout=60)
    for _ in range(2):
        connection.request("HEAD", "/v2/images?tag=head", headers=scope(image=ALL) | {"X-Auth-Token": "gAAAAAmarker"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 4_000_000
    connection.close()
