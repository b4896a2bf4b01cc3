"""Links in answers that cross the border between two owners."""

import json
from typing import Any

import pytest

from openstackoid.core.errors import PeerLeadsAwayError
from openstackoid.core.foreign_links import IncomingLinks, OutgoingLinks
from openstackoid.core.json_text import JsonText
from openstackoid.core.link_places import is_one_image
from openstackoid.core.links import Links

HOME = {
    "image": "http://home.example:9292",
    "compute": "http://home.example/compute",
    "identity": "https://home.example:5000",
}
PEER = "https://peer.example:9999"
TABLE = {f"{PEER}/{kind}": url for kind, url in HOME.items()}
THIEF = "http://thief.example/v2/images"
# All that some client takes for a way to another host.
AWAY = [
    THIEF,
    *(
        "https://thief.example",
        "HTTP://thief.example/",
        "hTtPs://thief.example/",
        "//thief.example/x",
        "///thief.example/x",
    ),
    *(
        "/\\thief.example/x",
        "\\\\thief.example\\x",
        "http:/thief.example/x",
        "http:thief.example",
        "https:\\\\thief.example",
    ),
    *(
        " http://thief.example/",
        "\thttp://thief.example/",
        "ht\ttp://thief.example/",
        "/\t/thief.example",
        "\n//thief.example",
    ),
    *(
        "http://home.example:9292@thief.example/",
        "http://home.example:92920/",
        "http://home.example:9292.thief.example/",
    ),
    *(
        "http://home.example:9292\\@thief.example/",
        "http://home.example/computed/",
        "http://home.example/",
        "http://home.example:9999/",
    ),
    *(
        "@thief.example/",
        ".thief.example/",
        ":80@thief.example/",
        "x.thief.example/",
        "{self}@thief.example/",
        "/..//thief.example/",
    ),
    *(
        "file:///etc/passwd",
        "file:/etc/passwd",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://thief.example",
        "gopher:thief",
        "0@thief",
    ),
    *(
        "http://user:pass@home.example:9292/",
        f"{PEER}/network/v2.0",
        "\u00a0http://thief.example/",
        "http://home\u3002example:9292/",
    ),
]
STAYS = [
    *("/v2/images?marker=1", "/v2/images?next=http://thief.example/", "?marker=1", "#x", "", "{self}"),
    *(url + end for url in HOME.values() for end in ("", "/", "/v2/x?a=b", "?limit=1")),
]


def incoming(service: str = "image") -> IncomingLinks:
    return IncomingLinks(TABLE, service, "CloudTwo", HOME)


def changed(links: Links, document: Any, *, one_image: bool = False) -> Any:
    text = JsonText(json.dumps(document).encode())
    links.document(text, one_image=one_image)
    return json.loads(text.result())


def checked(document: Any, service: str = "compute", *, one_image: bool = False) -> Any:
    """The document as it comes in; the same text may not pass in another spelling of its keys."""
    return changed(incoming(service), document, one_image=one_image)


@pytest.mark.parametrize(
    "key", ["href", "self", "next", "previous", "prev", "first", "last", "NEXT", "Next", "\u017felf", "lin\u212as"]
)
@pytest.mark.parametrize("url", AWAY[:9])
def test_no_link_leads_away(key: str, url: str) -> None:
    for document in (
        *({key: url}, {"servers": [{"links": [{"rel": "self", key: url}]}]}, {"links": {key: url}}, [[{key: url}]]),
        *(
            {key: [url]},
            {key: {"x": url}},
            {"server": {"image": {key: url}}},
            {"servers_links": [{"rel": "next", key: url}]},
        ),
    ):
        with pytest.raises(PeerLeadsAwayError):
            checked(document)


@pytest.mark.parametrize("url", AWAY)
def test_what_some_client_takes_for_another_host_leads_away(url: str) -> None:
    for service in ("compute", "image", "network", "unheard-of"):
        with pytest.raises(PeerLeadsAwayError):
            checked({"next": url}, service)
    with pytest.raises(PeerLeadsAwayError):
        incoming().header("Location", url)
    with pytest.raises(PeerLeadsAwayError):
        incoming().redirect(url)


@pytest.mark.parametrize("url", STAYS)
def test_what_leads_to_a_frontend_stays(url: str) -> None:
    assert checked({"next": url, "links": [{"href": url}, url]}) == {"next": url, "links": [{"href": url}, url]}


def test_the_peers_own_links_are_changed_first() -> None:
    assert checked({"next": f"{PEER}/image/v2/x", "image_links": [f"{PEER}/image"]}, "image") == {
        "next": "http://home.example:9292/v2/x",
        "image_links": ["http://home.example:9292"],
    }


@pytest.mark.parametrize("name", ["links", "servers_links", "_links", "LINKS", "x" * 100 + "_links"])
def test_whatever_stands_among_links_is_one(name: str) -> None:
    for links in (
        *(
            [THIEF],
            {"a": THIEF},
            {"a": {"b": THIEF}},
            [[THIEF]],
            THIEF,
            [{"rel": "next", "url": THIEF}],
            {"next": {"href": THIEF}},
        ),
        [{"rel": "self", "uri": "//thief.example/x"}],
    ):
        with pytest.raises(PeerLeadsAwayError):
            checked({name: links})


def test_links_to_documentation_are_left_out() -> None:
    # nova/api/openstack/compute/views/versions.py
    mine = {"rel": "self", "href": f"{PEER}/compute/v2.1/"}
    docs = {"rel": "describedby", "type": "text/html", "href": "http://developer.openstack.org/api-ref/compute/"}
    copy = {"rel": "alternate", "type": "application/vnd.openstack.image", "href": "http://10.0.0.3:9292/images/x"}
    version = {"id": "v2.1", "links": [docs, mine, copy], "media-types": [{"base": "application/json", "type": "x"}]}
    came = checked({"versions": [version]})
    assert came["versions"][0]["links"] == [{"rel": "self", "href": "http://home.example/compute/v2.1/"}]
    for rel in ("self", "Self", "next", None, ["describedby"]):
        with pytest.raises(PeerLeadsAwayError):
            checked({"links": [docs | {"rel": rel}]})


@pytest.mark.parametrize(
    ("service", "document"),
    [
        (
            "compute",
            {
                "server": {
                    "metadata": {"next": THIEF, "links": [THIEF]},
                    "name": THIEF,
                    "description": THIEF,
                    "tags": [THIEF],
                }
            },
        ),
        ("compute", {"server": {"user_data": THIEF, "OS-EXT-SRV-ATTR:user_data": THIEF, "fault": {"message": THIEF}}}),
        (
            "compute",
            {"remote_console": {"protocol": "vnc", "type": "novnc", "url": "https://console.peer.example/?token=x"}},
        ),
        ("compute", {"flavor": {"extra_specs": {"self": THIEF}, "links": []}}),
        ("block-storage", {"volume": {"metadata": {"href": THIEF}, "volume_image_metadata": {"next": THIEF}}}),
        ("network", {"ports": [{"binding:profile": {"next": THIEF}, "description": THIEF}], "ports_links": []}),
        (
            "orchestration",
            {"stack": {"outputs": [{"next": THIEF}], "parameters": {"next": THIEF}, "template": {"first": THIEF}}},
        ),
        ("load-balancer", {"l7policy": {"redirect_url": THIEF}, "listener": {"default_tls_container_ref": THIEF}}),
        ("image", {"tasks": [{"input": {"import_from": THIEF}, "self": "/v2/tasks/1"}]}),
        (
            "image",
            {
                "images": [{"next": THIEF, "links": THIEF, "url": THIEF, "self": "/v2/images/1", "tags": [THIEF]}],
                "first": "/v2/images",
            },
        ),
        (
            "image",
            {"name": "image", "links": [{"href": "{self}", "rel": "self"}, {"href": "{file}", "rel": "enclosure"}]},
        ),
        ("message", {"messages": [{"body": {"next": THIEF}, "href": "/v2/queues/q/messages/1"}]}),
        ("unheard-of", {"thing": {"metadata": {"next": THIEF}, "homepage": THIEF}}),
    ],
)
def test_users_own_data_is_no_link(service: str, document: Any) -> None:
    assert checked(document, service) == document


def test_properties_of_an_image_are_no_links() -> None:
    image = {
        "id": "1",
        "status": "active",
        "next": THIEF,
        "first": THIEF,
        "href": THIEF,
        "links": THIEF,
        "url": THIEF,
        "self": "/v2/images/1",
    }
    assert checked(image, "image", one_image=True) == image
    with pytest.raises(PeerLeadsAwayError):
        checked(image, "image")  # where a list was asked for
    for more in ({"links": [{"rel": "self", "href": THIEF}]}, {"versions": [{"next": THIEF}]}):
        with pytest.raises(PeerLeadsAwayError):
            checked(image | more, "image", one_image=True)
    for key in ("self", "file", "schema", "SELF"):
        with pytest.raises(PeerLeadsAwayError):
            checked(image | {key: THIEF}, "image", one_image=True)


@pytest.mark.parametrize(
    ("method", "target", "one"),
    [
        ("GET", "/v2/images/1", True),
        ("PATCH", "/v2/images/1?x=y", True),
        ("POST", "/v2/images", True),
        ("GET", "/v2/images", False),
        ("GET", "/v2/images/", False),
        ("GET", "/v2/images?next=/v2/images/1", False),
        ("GET", "/v2/images/1/members", False),
        ("GET", "/v2/tasks/1", False),
    ],
)
def test_what_is_a_single_image(method: str, target: str, one: bool) -> None:
    assert is_one_image("image", method, target) is one
    assert not is_one_image("compute", method, target)


@pytest.mark.parametrize("key", ["direct_url", "locations", "location", "DIRECT_URL"])
def test_no_place_of_storage_comes_in(key: str) -> None:
    for value in (
        "file:///etc/passwd",
        "file:/etc/passwd",
        "rbd://x",
        "/v2/images/1",
        [{"url": "file:///etc/passwd", "metadata": {}}],
    ):
        with pytest.raises(PeerLeadsAwayError):
            checked({"id": "1", key: value}, "image", one_image=True)
        with pytest.raises(PeerLeadsAwayError):
            checked({"images": [{"id": "1", key: value}]}, "image")
    empty: list[Any] = [None, "", []]
    for nothing in empty:
        assert checked({"id": "1", key: nothing}, "image", one_image=True) == {"id": "1", key: nothing}


def test_no_list_of_places_of_storage_comes_in() -> None:
    with pytest.raises(PeerLeadsAwayError):
        checked([{"url": "file:///etc/passwd", "metadata": {}}], "image")
    assert checked([], "image") == []


def test_places_of_storage_are_taken_out_for_others() -> None:
    links = OutgoingLinks({}, "image")
    image = {"id": "1", "direct_url": "rbd://a/b", "locations": [{"url": "rbd://a/b"}], "mine": "x"}
    assert links.changes
    assert links.concern(json.dumps(image).encode())
    assert changed(links, image, one_image=True) == {"id": "1", "mine": "x"}
    assert changed(links, {"images": [image], "next": "/x"}) == {
        "images": [{"id": "1", "mine": "x"}],
        "next": "/x",
    }
    assert links.concern(b'[{"url": "rbd://a/b"}]')
    assert changed(links, [{"url": "rbd://a/b"}]) == []
    assert not links.concern(b'{"id": "1"}')
    assert not OutgoingLinks({}, "compute").changes


def test_secrets_are_found_by_references() -> None:
    ours = incoming("key-manager")
    with pytest.raises(PeerLeadsAwayError):
        changed(ours, {"secret_ref": "http://thief.example/v1/secrets/1"})
    with pytest.raises(PeerLeadsAwayError):
        changed(ours, {"containers": [{"secret_refs": [{"name": "x", "secret_ref": "//thief.example/1"}]}]})
    assert changed(ours, {"secret_ref": f"{PEER}/image/1"}) == {"secret_ref": "http://home.example:9292/1"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{PEER}/image/v2/images/", "http://home.example:9292/v2/images/"),
        ("http://home.example:9292/v2/images/", "http://home.example:9292/v2/images/"),
        ("/v2/images/", "/v2/images/"),
    ],
)
def test_a_redirect_leads_to_the_same_service(url: str, expected: str) -> None:
    assert incoming().redirect(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://home.example/compute/v2.1/servers/1",
            "https://home.example:5000/v3/users",
            f"{PEER}/compute/v2.1/servers/1",
        ),
        *(
            "",
            "v2/images",
            "?x=y",
            "http://home.example:9292/../v2",
            "/v2/%2e%2e/x",
            "/v2/./x",
            "http://home.example:9292/caf\xe9",
            "/a b",
        ),
    ],
)
def test_a_redirect_leads_nowhere_else(url: str) -> None:
    with pytest.raises(PeerLeadsAwayError):
        incoming().redirect(url)
    with pytest.raises(PeerLeadsAwayError):
        incoming("unheard-of").redirect("/v2/images/")


def test_a_relative_redirect_stays_below_the_services_path() -> None:
    assert incoming("compute").redirect("/compute/v2.1/") == "/compute/v2.1/"
    with pytest.raises(PeerLeadsAwayError):
        incoming("compute").redirect("/image/v2/")


def test_errors_show_a_host_and_nothing_else_of_a_url() -> None:
    with pytest.raises(PeerLeadsAwayError, match=r"to http://thief\.example:1, ") as caught:
        checked({"next": "http://thief.example:1/eyJsecret?token=x"})
    assert "secret" not in str(caught.value)
    with pytest.raises(PeerLeadsAwayError, match="elsewhere"):
        checked({"next": "http://eyJhbGciOiJFZERTQSJ9/"})


def test_any_depth_will_do() -> None:
    deep = JsonText(b"[" * 100_000 + f'{{"next": "{THIEF}"}}'.encode() + b"]" * 100_000)
    with pytest.raises(PeerLeadsAwayError):
        incoming().document(deep)
