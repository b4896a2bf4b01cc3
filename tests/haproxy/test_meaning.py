"""One meaning: HAProxy before it was taught, HAProxy taught, and the gateway alone give the same answer to every vector.

Left out: texts that no header can hold (line ends and other control characters), the cases of the federation `alone`, and a service
without a frontend (no request for it can arrive). A peer that never told what it serves is asked, and does not answer: 502 here.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from tests.gateway.wire import TOKEN, Upstream, ask, reply, until
from tests.haproxy.world import KINDS, Fronted
from tests.ports import free_port

from openstackoid.core import scope as scopes
from openstackoid.haproxy.maps import is_writable

VECTORS: Final = Path(__file__).parents[1] / "vectors"
ROUTING: Final = json.loads((VECTORS / "routing.json").read_text())
SCOPES: Final = json.loads((VECTORS / "scope.json").read_text())
CASES: Final[list[dict[str, Any]]] = [
    case
    for case in ROUTING["cases"]
    if case["federation"] == "three" and case["facts"]["service"] in KINDS and case["name"] != "a loop without a scope"
]
TEXTS: Final[list[str]] = [
    case["text"]
    for case in (*SCOPES["valid"], *SCOPES["invalid"])
    if all(" " <= letter <= "~" for letter in case["text"])
]
# `decide` refuses operators; a gateway plans them (`core.plans`). Here no cloud has the label, and CloudOne alone is near CloudOne.
PLANNED: Final = {"label": "scope.empty", "an operator for another service": "scope.empty", "around": None}
# Clouds that the vectors of the language name.
NAMED: Final = ("a", "b", "c", "0", "around", "cloud-1.example_org", "n" * 64)


@dataclass
class Entry:
    cloud: Fronted
    there: Upstream


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entry]:
    one = Fronted("CloudOne", tmp_path_factory.mktemp("meaning") / "one")
    there = Upstream(lambda seen, _: reply(200, b"" if seen.method == "HEAD" else {"target": seen.target}))
    served: dict[str, Any] = {name: ["identity", "image", "compute"] for name in NAMED}
    served |= {name: list(peer["services"]) for name, peer in ROUTING["federations"]["three"]["peers"].items() if peer}
    peers: dict[str, Any] = {
        name: {
            "url": there.url,
            "token": "pass-through",
            "services": {kind: f"{there.url}/{name}/{kind}" for kind in kinds},
        }
        for name, kinds in served.items()
    }
    peers["Unasked"] = {"url": f"http://127.0.0.1:{free_port()}", "token": "pass-through"}
    one.start(peers)
    try:
        one.ready()
        until(lambda: len(one.proxy.peers) == sum(map(len, served.values())))
        yield Entry(one, there)
    finally:
        one.stop()
        there.close()
        shutil.rmtree(one.short, ignore_errors=True)


@dataclass(frozen=True)
class Outcome:
    """What a request came to."""

    status: int
    code: str | None
    cloud: str | None  # that was reached
    target: str | None
    token: str | None
    scope: str | None  # that arrived there, explicit
    hops: str | None


def outcome(
    entry: Entry, kind: str, path: str, headers: dict[str, str], *, alone: bool, method: str = "GET"
) -> Outcome:
    mark = f"?{os.urandom(6).hex()}"
    base = entry.cloud.alone(kind) if alone else entry.cloud.url(kind)
    answer = ask(base, path + mark, headers, method=method)
    here = [seen for seen in entry.cloud[kind].requests if seen.target.endswith(mark)]
    there = [seen for seen in entry.there.requests if seen.target.endswith(mark)]
    if answer.status != 200:
        assert not here
        assert not there
        return Outcome(answer.status, answer.code, None, None, None, None, None)
    (seen,) = here + there
    token, _, carried = (seen.get("X-Auth-Token") or "").partition("!SCOPE!")
    cloud = "CloudOne" if here else seen.target.split("/")[1]
    asked = seen.get("X-Scope") or carried
    return Outcome(200, None, cloud, seen.target.partition("?")[0], token, asked, seen.get("X-Openstackoid-Hops"))


def thrice(entry: Entry, kind: str, path: str, headers: dict[str, str], method: str = "GET") -> Outcome:
    first = outcome(entry, kind, path, headers, alone=False, method=method)
    text = headers.get("X-Scope", (headers.get("X-Auth-Token") or "").partition("!SCOPE!")[2]).strip(" ")
    if first.status == 200 and kind != "compute" and is_writable(text) and "X-Openstackoid-Hops" not in headers:
        way = f"{method}|{kind}|{text}"
        if scopes.parse(text) and (kind != "identity" or first.cloud == "CloudOne"):

            def known() -> bool:
                outcome(entry, kind, path, headers, alone=False, method=method)
                return way in entry.cloud.proxy.ways

            until(known)
    second = outcome(entry, kind, path, headers, alone=False, method=method)
    reference = outcome(entry, kind, path, headers, alone=True, method=method)
    assert first == reference
    assert second == reference
    return reference


@pytest.mark.parametrize("text", TEXTS)
def test_a_scope_means_the_same_in_the_header_and_on_the_token(entry: Entry, text: str) -> None:
    on_header = thrice(entry, "image", "/v2/images", {"X-Scope": text})
    valid = text in {case["text"] for case in SCOPES["valid"]}
    assert (on_header.code == "scope.malformed") is not valid
    on_token = thrice(entry, "image", "/v2/images", {"X-Auth-Token": f"{TOKEN}!SCOPE!{text}"})
    assert on_token == on_header
    # The same words for another service, and for writing: what was taught of one is not taken for the other.
    thrice(entry, "network", "/v2.0/ports", {"X-Scope": text})
    thrice(entry, "image", "/v2/images", {"X-Scope": text}, "POST")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_request_goes_where_the_vectors_say(entry: Entry, case: dict[str, Any]) -> None:
    facts, expected = case["facts"], case["expect"]
    path = facts["path"] if facts["path"] != "/" else "/v2/things"
    headers = {"X-Scope": json.dumps(case["scope"], separators=(",", ":"))} if case["scope"] else {}
    if facts["hops"]:
        headers["X-Openstackoid-Hops"] = ",".join(facts["hops"])
    found = thrice(entry, facts["service"], path, headers, facts["method"])
    if expected["cloud"] == "Unasked":
        assert (found.status, found.code) == (502, "peer.unreachable")
    elif expected["decision"] == "reject":
        assert found.code == PLANNED.get(case["name"], expected["code"])
        assert found.code or (found.status, found.cloud) == (200, "CloudOne")
    else:
        assert (found.status, found.cloud) == (200, expected["cloud"])
        if expected["decision"] == "remote":
            assert found.target == f"/{expected['cloud']}/{facts['service']}{path}"


def test_what_was_taught_does_not_come_by_the_gateway(entry: Entry) -> None:
    """So that the tests above have tested it."""
    for text, cloud in (('{"image":"CloudTwo"}', "CloudTwo"), ('{"compute":"CloudTwo"}', "CloudOne")):
        for headers in ({"X-Scope": text}, {"X-Auth-Token": f"{TOKEN}!SCOPE!{text}"}):
            thrice(entry, "image", "/v2/images", headers)
            path = f"/v2/{os.urandom(6).hex()}"
            assert outcome(entry, "image", path, headers, alone=False).cloud == cloud
            assert not entry.cloud.passed(path)


def test_a_scope_with_spaces_or_escapes_is_the_gateways_each_time(entry: Entry) -> None:
    for text in ('{"image": "CloudTwo"}', '{"\\u0069mage":"CloudTwo"}', ' {"image":\t"CloudTwo"}'):
        for _ in range(2):
            path = f"/v2/{os.urandom(6).hex()}"
            assert outcome(entry, "image", path, {"X-Scope": text}, alone=False).cloud == "CloudTwo"
            assert entry.cloud.passed(path)
