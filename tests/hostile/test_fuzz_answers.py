"""Answers of another owner's cloud: refused with an error of ours, or no client that follows a link in them leaves this cloud's frontends.

The oracle is written as clients are: it looks for links where openstacksdk, keystoneauth1, glanceclient and nova look for them, puts them behind
a base in the ways that they do, and asks the parser of `requests` (urllib3's) which host would be called.
"""

import functools
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from hypothesis import strategies as st
from tests.hostile.fuzzing import anything, changed, fuzz, plain, urls, words
from tests.hostile.thieves import THIEVES
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from openstackoid.core.errors import OpenStackoidError
from openstackoid.core.foreign_links import IncomingLinks
from openstackoid.core.ids import Ids
from openstackoid.core.json_text import JsonText

HERE = {
    "image": "http://one.example:9292",
    "compute": "http://one.example:8774",
    "network": "http://one.example/network",
    "block-storage": "http://one.example",
}
THERE = {kind: f"https://mallory.example:8443/{kind}" for kind in HERE}
HOSTS = {"one.example"}
SELF = "https://mallory.example:8443"
IMAGE = {
    "id": "1",
    "self": "/v2/images/1",
    "file": "/v2/images/1/file",
    "schema": "/v2/schemas/image",
    "owner": "x",
    "tags": ["a"],
}
ANSWERS: dict[tuple[str, str], Any] = {
    ("image", "/v2/images"): {
        "images": [IMAGE, IMAGE | {"next": "mine"}],
        "next": "/v2/images?marker=1",
        "first": "/v2/images",
        "schema": "/v2/schemas/images",
    },
    ("image", "/v2/images/1"): IMAGE,
    ("image", "/"): {
        "versions": [{"id": "v2.9", "status": "CURRENT", "links": [{"rel": "self", "href": f"{SELF}/image/v2/"}]}]
    },
    ("compute", "/v2.1/servers/detail"): {
        "servers": [
            {
                "id": "1",
                "metadata": {"next": "mine"},
                "links": [{"rel": "self", "href": f"{SELF}/compute/v2.1/servers/1"}],
                "image": {"id": "2", "links": [{"rel": "bookmark", "href": f"{SELF}/image/images/2"}]},
            }
        ],
        "servers_links": [{"rel": "next", "href": f"{SELF}/compute/v2.1/servers/detail?marker=1"}],
    },
    ("compute", "/v2.1"): {
        "version": {
            "id": "v2.1",
            "links": [{"rel": "self", "href": f"{SELF}/compute/v2.1/"}],
            "media-types": [{"base": "json"}],
        }
    },
    ("block-storage", "/v3/volumes"): {
        "volumes": [{"id": "1", "links": [{"rel": "self", "href": f"{SELF}/block-storage/v3/volumes/1"}]}],
        "volumes_links": [{"rel": "next", "href": f"{SELF}/block-storage/v3/volumes?marker=1"}],
    },
    ("network", "/v2.0/networks"): {
        "networks": [{"id": "1", "project_id": "2"}],
        "networks_links": [{"rel": "next", "href": f"{SELF}/network/v2.0/networks?marker=1"}],
        "links": {"next": f"{SELF}/network/v2.0/networks?marker=1", "self": "/v2.0/networks"},
    },
}
thieves = st.sampled_from(THIEVES)
links = thieves | st.builds("".join, st.lists(thieves | words, max_size=3)) | urls
FOLLOWED = {"self", "next", "previous", "prev", "first", "last"}


def with_one(document: Any, link: str) -> Iterator[Any]:
    """The document with the link in the place of each text in turn: several would hide each other's faults."""
    if isinstance(document, str):
        yield link
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from (document | {key: each} for each in with_one(value, link))
    elif isinstance(document, list):
        for place, value in enumerate(document):
            yield from ([*document[:place], each, *document[place + 1 :]] for each in with_one(value, link))


def added(link: str) -> Iterator[dict[str, Any]]:
    """Fields that the answer had not."""
    for key in (
        "next",
        "first",
        "servers_links",
        "volumes_links",
        "links",
        "NEXT",
        "lin\u017fks",
        "locations",
        "direct_url",
    ):
        yield {key: link}
        for rel in ("next", "NEXT", "self", None):
            yield {key: [{"rel": rel, "href": link}]}
        yield {key: {"next": link}}
        yield {key: {"next": {"href": link}}}
        yield {key: [{"url": link, "metadata": {}}]}


@st.composite
def hostile(draw: Any) -> tuple[str, str, Any]:
    """A service's answer with something else in the place of something."""
    service, path = draw(st.sampled_from(sorted(ANSWERS)))
    return service, path, draw(changed(ANSWERS[service, path]) | anything)


def followed(document: Any) -> Iterator[str]:
    """The texts that some client would call; not what users called their own properties of images."""
    if not isinstance(document, dict):
        return
    for key in ("next", "first", "last", "previous"):
        yield from [document[key]] if isinstance(document.get(key), str) else ()
    images, servers = document.get("images"), document.get("servers", document.get("volumes"))
    for image in (document, *(images if isinstance(images, list) else ())):
        for key in ("schema", "self", "file") if isinstance(image, dict) else ():
            yield from [image[key]] if isinstance(image.get(key), str) else ()
    versions = document.get("versions")
    shown = [document, document.get("version"), *(servers if isinstance(servers, list) else ())]
    for each in (*shown, *(versions if isinstance(versions, list) else ())):
        for key, value in each.items() if isinstance(each, dict) else ():
            if key == "links" or key.endswith("_links"):
                yield from _linked(value)


def _linked(value: Any) -> Iterator[str]:
    """openstack/resource.py `_get_next_link`, keystoneauth1/discover.py: a list of objects with rel and href, or an object of relations."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name in FOLLOWED:
                yield from [each] if isinstance(each, str) else _linked([each])
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict) and isinstance(each.get("href"), str):
            # What is no text is never the name of a relation, nor can all of it be looked for in a set.
            relation = each.get("rel")
            yield from [each["href"]] if isinstance(relation, str) and relation in FOLLOWED else ()


def called(base: str, link: str) -> Iterator[str | None]:
    """The hosts that a client of an endpoint would call for a link."""
    bare = link.strip().translate(dict.fromkeys(map(ord, "\t\r\n")))  # urllib, and WHATWG's URL standard
    behind = (urljoin(f"{base}/", bare), base + bare, f"{base}/{bare.lstrip('/')}")
    for whole in (bare,) if re.match("[a-z]+://", bare, re.IGNORECASE) else behind:
        try:
            yield parse_url(whole).host
        except (LocationParseError, ValueError):
            continue


def leads_away(service: str, link: str) -> bool:
    if link.startswith("{"):
        return False
    return any(host not in HOSTS for host in called(HERE[service], link))


def looks(service: str) -> IncomingLinks:
    return IncomingLinks({url: HERE[kind] for kind, url in THERE.items()}, service, "Mallory", HERE)


def ours(error: OpenStackoidError) -> None:
    assert error.status == 502
    plain(error, 500)


def check(service: str, path: str, document: Any) -> None:
    one = service == "image" and path == "/v2/images/1"
    try:
        text = JsonText(json.dumps(document).encode())
        looks(service).document(text, one_image=one)
    except OpenStackoidError as error:
        ours(error)
        return
    made = json.loads(text.result())
    if one and isinstance(made, dict):
        made = {key: value for key, value in made.items() if key not in FOLLOWED - {"self"} and "links" not in key}
    away = [link for link in followed(made) if leads_away(service, link)]
    assert away == [], made
    stored = [made] if one else made.get("images", ()) if isinstance(made, dict) else ()
    for image in stored if service == "image" and isinstance(stored, list) else ():
        assert not isinstance(image, dict) or not any(image.get(key) for key in ("locations", "direct_url"))


@fuzz(*({"link": each} for each in THIEVES), link=links.filter(str.isprintable))
def test_no_link_leads_away_wherever_it_stands(link: str) -> None:
    for (service, path), document in ANSWERS.items():
        for each in with_one(document, link):
            check(service, path, each)
        for fields in added(link):
            check(service, path, document | fields)


@fuzz(given=hostile())
def test_no_odd_document_leads_away(given: tuple[str, str, Any]) -> None:
    check(*given)


@fuzz({"link": "http://one.example:9292@thief.example/"}, {"link": "/\\thief.example"}, link=links)
def test_no_header_leads_away(link: str) -> None:
    for service, frontend in HERE.items():
        looked = looks(service)
        for read in (looked.redirect, functools.partial(looked.header, "Content-Location")):
            try:
                made = read(link)
            except OpenStackoidError as error:
                ours(error)
                continue
            assert made.isprintable()
            # RFC 9110, 10.2.2: relative to the target; clients join it to that.
            assert parse_url(urljoin(frontend + "/v2/x", made)).host in HOSTS, (link, made)


OLD, NEW = ("1" * 32, "2" * 32), ("a" * 32, "b" * 32)


@st.composite
def with_ids(draw: Any) -> tuple[str, Any]:
    """An answer in which ids of a project and a user stand wherever they like."""
    service, _, document = draw(hostile())
    fields = st.sampled_from(["project_id", "tenant_id", "owner", "user_id", "metadata", "links", "members", "id"])
    values = (
        st.sampled_from(OLD)
        | st.lists(st.sampled_from(OLD), max_size=2)
        | st.dictionaries(fields, st.sampled_from(OLD), max_size=2)
    )
    more = draw(st.dictionaries(fields, values | anything, max_size=4))
    if isinstance(document, dict):
        return service, document | more
    return service, [document, more]


@fuzz(given=with_ids())
def test_ids_are_mapped_in_any_document_and_nothing_else_is_changed(given: tuple[str, Any]) -> None:
    service, document = given
    text = json.dumps(document).encode()
    mapped = JsonText(text)
    Ids({OLD[0]: NEW[0]}, {OLD[1]: NEW[1]}).answer(service, mapped)
    # Whatever was changed became what stands for it.
    back = mapped.result().replace(NEW[0].encode(), OLD[0].encode()).replace(NEW[1].encode(), OLD[1].encode())
    assert json.dumps(json.loads(back)) == json.dumps(document)
