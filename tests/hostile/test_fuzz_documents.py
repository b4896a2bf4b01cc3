"""What a peer says of itself: read or refused with one kind of error, and what was read can be used everywhere."""

import ipaddress
import json
import re
import string
from typing import Any
from urllib.parse import urlsplit

from hypothesis import strategies as st
from tests.hostile.fuzzing import anything, changed, fuzz, plain, urls, words
from tests.hostile.peer import agreement, document

from openstackoid.core.catalog import Cloud
from openstackoid.core.services import service_type
from openstackoid.gateway.upstream.linking import Linking
from openstackoid.haproxy import maps
from openstackoid.trust.agreements import Statement
from openstackoid.trust.keys import fresh_keys
from openstackoid.trust.rings import Ring

KEYS = fresh_keys(0)
DOCUMENT = document("Mallory", "https://mallory.example:5050", KEYS)
PLAIN = set(string.ascii_letters + string.digits + "-._~!$&'()*+,=:@/[]%")


def of_services(url: str) -> dict[str, Any]:
    return DOCUMENT | {"services": {"image": {"url": url}}, "frontends": {"image": {"url": url}}}


documents = changed(DOCUMENT) | urls.map(of_services) | anything


@fuzz(
    {"told": of_services("http://127.0.0.1:9292/image;show info")},
    {"told": of_services("http://127.0.0.1:9292/" + "i" * 4096)},
    {"told": of_services("http://[::1")},
    {"told": of_services("http://c2.example:99999")},
    told=documents,
)
def test_a_document_is_refused_or_everything_can_use_it(told: Any) -> None:
    try:
        cloud = Cloud.from_json(told)
    except ValueError as error:
        plain(error)
        return
    assert Cloud.from_json(json.loads(json.dumps(cloud.to_json()))) == cloud
    for kind, url in (*cloud.services.items(), *cloud.frontends.items()):
        parts = urlsplit(url)
        assert service_type(kind) == kind
        assert url.startswith(("http://", "https://"))
        assert set(url) <= PLAIN
        assert "@" not in parts.netloc
        assert parts.port != 0
    # HAProxy's map and the tables of links are made of it in loops of their own, for all peers at once.
    hosts = {urlsplit(url).hostname or "": "192.0.2.1" for url in cloud.services.values()}
    for entry in maps.places({cloud.name: cloud.services}, hosts, {}):
        assert maps.text([entry]).split(" ") == [entry.key, entry.value + "\n"]
        assert not set(maps.text([entry])[:-1]) & set(";\n\\<")
        assert entry.value.count("|") == 4
        ipaddress.ip_address(entry.value.split("|")[1])
    Linking(cloud)


@fuzz(told=changed(agreement()) | anything)
def test_a_statement_is_refused_or_whole(told: Any) -> None:
    try:
        statement = Statement.from_json(told)
    except ValueError as error:
        plain(error)
        return
    assert Statement.from_json(json.loads(json.dumps(statement.to_json()))) == statement
    assert statement.id is None or re.fullmatch(r"[\w-]{1,64}", statement.id, re.ASCII)


@fuzz(told=documents, pinned=st.sampled_from([KEYS.fingerprint, "A" * 43]) | words)
def test_a_ring_has_no_key_but_those_that_descend_from_the_pinned_one(told: Any, pinned: str) -> None:
    try:
        ring = Ring(told, pinned)
    except ValueError as error:
        plain(error)
        return
    # Nobody else signed anything in these documents.
    assert set(ring.keys) == {KEYS.fingerprint} == {pinned}
