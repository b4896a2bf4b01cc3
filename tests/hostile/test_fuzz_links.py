"""How a hostile peer spells a link, fuzzed: what passes leads home, whichever client joins, reads and follows it. Where links stand: test_fuzz_answers."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import yarl
from hypothesis import strategies as st
from tests.hostile.fuzzing import SHARP, fuzz, hosts, plain, schemes, words

from openstackoid.core.errors import PeerLeadsAwayError
from openstackoid.core.foreign_links import IncomingLinks
from openstackoid.core.json_text import JsonText

HOME = {
    "image": "http://home.example:9292",
    "compute": "https://home.example/compute",
    "identity": "https://id.example",
}
TABLE = {"http://c2.example/image": HOME["image"], "http://c2.example": HOME["compute"]}
ORIGINS = {(parts.scheme, parts.netloc) for parts in map(urlsplit, HOME.values())}
ends = st.text(st.sampled_from(SHARP + "aA0-_./:@?#"), max_size=10)
links = st.one_of(
    st.builds("{}{}{}{}".format, ends, schemes, hosts, ends),
    st.builds("{}{}{}".format, ends, st.sampled_from([*HOME.values(), *TABLE]), ends),
    st.builds("{}{}".format, st.sampled_from(["", "/", "?", "#", "{self}", "/v2/images"]), ends),
    words,
)


def whatwg(base: str, link: str) -> str:
    """As browsers and Node read it: without what surrounds it, tabs and line ends, and a backslash is a slash."""
    bare = re.sub(r"[\t\r\n]", "", link.strip("".join(map(chr, range(33))))).replace("\\", "/")
    # `http:/host` and `http:host` name the host.
    return urljoin(base, re.sub(r"^(https?):/*", r"\1://", bare, flags=re.IGNORECASE))


def ways(link: str) -> Iterator[str]:
    """Where clients go that find a link in an answer of any of the frontends."""
    if link in {"{self}", "{file}", "{schema}"}:
        return  # templates: behind a base they name no host that there can be
    for frontend in HOME.values():
        asked = f"{frontend}/v2/images?limit=1"
        yield urljoin(asked, link)  # requests, openstacksdk, gophercloud
        yield whatwg(asked, link)
        # keystoneauth1 and glanceclient put what has no host behind the endpoint; scripts do so without a slash.
        if not urlsplit(link).netloc:
            yield frontend + link
            yield f"{frontend}/{link.lstrip('/')}"


def leads_home(link: str) -> None:
    for url in ways(link):
        parts = urlsplit(url)
        assert (parts.scheme, parts.netloc.lower()) in ORIGINS, (link, url)
        try:
            prepared = requests.Request("GET", url).prepare().url or ""
        except (requests.RequestException, ValueError):
            continue  # this client goes nowhere
        parts = urlsplit(prepared)
        assert (parts.scheme, parts.netloc) in ORIGINS, (link, prepared)
        try:
            joined = yarl.URL(url)
        except ValueError:
            continue
        assert (joined.scheme, joined.authority.removesuffix(":443")) in ORIGINS, (link, joined)


def incoming(service: str) -> IncomingLinks:
    return IncomingLinks(TABLE, service, "CloudTwo", HOME)


@fuzz({"link": "@thief.example"}, {"link": "{self}@thief.example"}, {"link": "http:thief.example"}, link=links)
def test_a_link_that_passes_leads_home(link: str) -> None:
    for document in ({"next": link}, {"links": [{"rel": "next", "href": link}]}):
        try:
            came = JsonText(json.dumps(document).encode())
            incoming("compute").document(came)
        except PeerLeadsAwayError as error:
            plain(error)
        else:
            for passed in found(json.loads(came.result())):
                leads_home(passed)


@fuzz(link=links)
def test_a_redirect_that_passes_leads_to_the_same_service(link: str) -> None:
    for service, frontend in HOME.items():
        try:
            passed = incoming(service).redirect(link)
        except PeerLeadsAwayError as error:
            plain(error)
        else:
            for url in (urljoin(f"{frontend}/v2/x", passed), whatwg(f"{frontend}/v2/x", passed)):
                assert url == frontend or url.startswith((f"{frontend}/", f"{frontend}?", f"{frontend}#")), (link, url)


def found(document: Any) -> Iterator[str]:
    """What a simple client takes for links."""
    if isinstance(document, list):
        for item in document:
            yield from found(item)
    elif isinstance(document, dict):
        for key, value in document.items():
            if key in {"next", "href"} and isinstance(value, str):
                yield value
            yield from found(value)
