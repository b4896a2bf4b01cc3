"""Answers of a peer in odd forms, each with a way to a thief in it: whatever a client makes of what it gets, the way is not in it.

Looked at are the very bytes that the client gets, as they are and in each encoding that a client might guess.
"""

import contextlib
import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any, Final

import pytest
from tests.gateway.wire import raw, reply
from tests.haproxy.test_traps import image_data
from tests.hostile.honest import Honest
from tests.hostile.programs import Thief

LIST: Final = "/v2/images"
SERVERS: Final = "/v2.1/servers/detail"


def readings(data: bytes) -> Iterator[str]:
    """What clients may read in an answer."""
    body = data.partition(b"\r\n\r\n")[2]
    for whole in (data, body):
        for encoding in (
            "latin-1",
            "utf-8",
            "utf-16",
            "utf-16-le",
            "utf-16-be",
            "utf-32",
            "utf-32-le",
            "utf-32-be",
            "utf-7",
        ):
            with contextlib.suppress(UnicodeError):
                text = whole.decode(encoding)
                yield text
                yield text.replace("\\/", "/").encode("utf-8", "replace").decode("unicode-escape", "replace")
    for unpack in (gzip.decompress, zlib.decompress, lambda text: zlib.decompress(text, -15)):
        with contextlib.suppress(OSError, EOFError, zlib.error):
            yield unpack(body).decode("latin-1")


def leads_to_nobody(
    honest: Honest, thief: Thief, path: str, answer: bytes, kind: str, method: str, scope: str, *lines: str
) -> bytes:
    """Ask, and look at all that comes."""
    honest.mallory.forget()
    honest.mallory.answers(f"/{kind}{path}", answer)
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"X-Auth-Token: {honest.user}",
        f"X-Scope: {scope}",
    ]
    came = raw(honest.url(kind), "\r\n".join([*head, *lines, "", ""]).encode())
    assert honest.mallory.all(f"/{kind}{path}")
    address = thief.url.partition("://")[2]
    if b'"openstackoid_code"' in came:
        # Refused; the text of an error, which nobody follows, names the place.
        assert came.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 504 ")), came
        came = came.partition(b"\r\n\r\n")[0]
    assert not [text for text in readings(came) if address in text], came
    return came


def of_headers(url: str) -> dict[str, bytes]:
    """Heads that a client might follow."""

    def head(status: str, *lines: str, body: bytes = b"{}", length: bool = True) -> bytes:
        given = [f"HTTP/1.1 {status}", *([f"Content-Length: {len(body)}"] if length else []), *lines, "", ""]
        return "\r\n".join(given).encode("latin-1") + body

    found = {
        f"{status}": head(f"{status} Found", f"Location: {url}/x")
        for status in (300, 301, 302, 303, 305, 306, 307, 308, 399)
    }
    found |= {
        f"{status} with Location": head(f"{status} Fine", f"Location: {url}/x")
        for status in (200, 201, 202, 206, 401, 404, 503)
    }
    for name in ("Location", "Content-Location"):
        behind = [
            f"\r\n {url}/x",
            f" /x\r\n\t{url}",
            f"\t{url}",
            f" {url}\x00",
            f" \x0b{url}",
            f" /\\{url[5:]}",
            f" {url[5:]}",
            f"    {url}   ",
        ]
        behind += [
            f" /v2/x\r\n{name}: {url}",
            f" /x, {url}",
            f" /x\n{name}: {url}",
            f" http:{url[5:]}",
            f" \xa0{url}",
            f" @{url[7:]}",
        ]
        lines = [f"{name}:{each}" for each in behind] + [
            f"{name} : {url}",
            f"{name.upper()}: {url}",
            f"X: y\r{name}: {url}",
        ]
        for number, odd in enumerate(lines):
            for status in ("302 Found", "201 Created", "200 OK"):
                found[f"{status} {name} {number}"] = head(status, odd)
    hints = f"Location: {url}\r\nLink: <{url}>; rel=preload\r\nRefresh: 0; url={url}"
    others = [
        "Link: <{}>; rel=next",
        "Refresh: 0;url={}",
        'WWW-Authenticate: Keystone uri="{}"',
        "Set-Cookie: a={}",
        'Alt-Svc: h2="{}"',
    ]
    others += [
        "X-Subject-Token: {}",
        "Uri: {}",
        'Www-Authenticate: Bearer realm="{}"',
        "X-Accel-Redirect: {}",
        "SourceMap: {}",
        "X-Endpoint: {}",
    ]
    others += [
        "X-Storage-Url: {}",
        "Openstack-Url: {}",
        "Report-To: {}",
        "Content-Security-Policy: report-uri {}",
        "Access-Control-Allow-Origin: {}",
    ]
    found |= {each.partition(":")[0]: head("200 OK", each.format(url)) for each in others}
    found["reason"] = head(f"200 {url}")
    found["early hints"] = f"HTTP/1.1 103 Early Hints\r\n{hints}\r\n\r\n".encode() + head("200 OK")
    found["continue"] = f"HTTP/1.1 100 Continue\r\n{hints}\r\n\r\n".encode() + head("200 OK")
    found["switching"] = (
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n{hints}\r\n\r\n".encode()
    )
    found["two answers"] = head("200 OK") + head("302 Found", f"Location: {url}")
    found["trailers"] = head(
        "200 OK",
        "Transfer-Encoding: chunked",
        "Trailer: Location",
        body=f"2\r\n{{}}\r\n0\r\nLocation: {url}\r\n\r\n".encode(),
        length=False,
    )
    found["chunk extension"] = head(
        "200 OK", "Transfer-Encoding: chunked", body=f"2;location={url}\r\n{{}}\r\n0\r\n\r\n".encode(), length=False
    )
    found["both lengths"] = head(
        "200 OK",
        "Transfer-Encoding: chunked",
        body=f"2\r\n{{}}\r\n0\r\n\r\nHTTP/1.1 302 x\r\nLocation: {url}\r\n\r\n".encode(),
    )
    found["HTTP/1.0"] = f"HTTP/1.0 302 Found\r\nLocation: {url}\r\n\r\n".encode()
    found["HTTP/0.9"] = json.dumps({"next": url}).encode()
    found["HTTP/2"] = f"HTTP/2 302 Found\r\nLocation: {url}\r\n\r\n".encode()
    found["no reason"] = head("302", f"Location: {url}")
    found["304"] = f"HTTP/1.1 304 Not Modified\r\nLocation: {url}\r\nContent-Location: {url}\r\n\r\n".encode()
    found["204"] = f"HTTP/1.1 204 No Content\r\nLocation: {url}\r\n\r\n".encode()
    found["many headers"] = head("302 Found", *(f"X-{number}: y" for number in range(20_000)), f"Location: {url}")
    found["long header"] = head("302 Found", f"Location: {url}/{'x' * 70_000}")
    return found


def packed(document: Any, url: str) -> dict[str, bytes]:
    """The same document, or one that some reader takes for it, in odd forms."""
    text = json.dumps(document)
    plain, kind = text.encode(), "application/json"

    def of(body: bytes, content_type: str | None = kind, status: int = 200, **headers: str) -> bytes:
        given = {"Content-Type": content_type} if content_type else {}
        return reply(status, body, given | {name.replace("_", "-"): value for name, value in headers.items()})

    found = {"plainly": of(plain), "no type": of(plain, None), "untyped": of(plain, "application/octet-stream")}
    for content_type in (
        "text/plain",
        "text/html",
        "Application/JSON",
        "application/vnd.x+json",
        "application/json ",
        "text/json",
        "x",
        "application/xml",
        "application/jsonx",
    ):
        found[content_type] = of(plain, content_type)
    for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig", "utf-7"):
        for where in (
            "application/json",
            f"application/json; charset={name}",
            "text/plain",
            f"text/plain; charset={name}",
            None,
        ):
            found[f"{name} {where}"] = of(text.encode(name), where)
    for charset in ("utf-7", '"utf-16"', "utf-8; charset=utf-16", "cp037", "iso-2022-jp", "hz", "utf\x00-8"):
        found[f"charset {charset}"] = of(plain, f"application/json; charset={charset}")
    found["cp037"] = of(text.encode("cp037"), "application/json; charset=cp037")
    found["two types"] = (
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        % len(plain)
        + plain
    )
    for coding in ("gzip", "x-gzip", "gzip, identity", "identity, gzip", "GZIP"):
        found[coding] = of(gzip.compress(plain), kind, Content_Encoding=coding)
        found[f"{coding} text"] = of(gzip.compress(plain), "text/plain", Content_Encoding=coding)
    found["gzip unsaid"] = of(gzip.compress(plain), kind)
    found["deflate"] = of(zlib.compress(plain), kind, Content_Encoding="deflate")
    found["raw deflate"] = of(zlib.compress(plain)[2:-4], kind, Content_Encoding="deflate")
    found["encoding of transfer"] = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Type: application/json\r\n\r\n%x\r\n"
        % len(gzip.compress(plain))
        + gzip.compress(plain)
        + b"\r\n0\r\n\r\n"
    )
    for status in (300, 201, 206, 207, 226, 299, 401, 403, 404, 418, 500, 503, 599):
        found[f"{status}"] = of(plain, kind, status)
        found[f"{status} text"] = of(plain, "text/plain", status)
    found["a part"] = of(plain, kind, 206, Content_Range=f"bytes 0-{len(plain) - 1}/{len(plain)}")
    escaped = text.replace("/", "\\/")
    found["slashes"] = of(escaped.encode())
    found["letters"] = of(
        text.replace("http", "\\u0068ttp").replace("next", "\\u006eext").replace("href", "\\u0068ref").encode()
    )
    harmless = json.dumps(json.loads(text.replace(url, "/v2/images")))
    found["twice"] = of(f"{harmless[:-1]}, {text[1:]}".encode())
    found["twice, the other way"] = of(f"{text[:-1]}, {harmless[1:]}".encode())
    found["two documents"] = of(f"{harmless}\n{text}".encode())
    for before in (
        " ",
        "\n\n",
        "\t" * 70_000,
        "\x00",
        "\x0b",
        "\x0c",
        "\x85",
        "\xa0",
        "\u2028",
        "/**/",
        ")]}',\n",
        "1",
        "null",
        "\ufeff\ufeff",
    ):
        if not before.strip(" \n\t\0\ufeff"):  # behind anything else it is JSON for nobody
            found[f"behind {before[:5]!r}"] = of((before + text).encode(), "text/plain")
        found[f"behind {before[:5]!r}, JSON"] = of((before + text).encode())
    found["NaN"] = of(f'{text[:-1]}, "x": NaN}}'.encode())
    found["large numbers"] = of(f'{text[:-1]}, "x": 1{"0" * 400}}}'.encode())
    found["surrogates"] = of(f'{text[:-1]}, "x": "\\ud800"}}'.encode())
    found["no UTF-8"] = of(plain[:-1] + b', "x": "\xff"}')
    found["no UTF-8, text"] = of(plain[:-1] + b', "x": "\xff"}', "text/plain; charset=iso-8859-1")
    found["in chunks"] = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n%c\r\n" % each for each in plain)
        + b"0\r\n\r\n"
    )
    found["to the end"] = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + plain
    found["to the end, text"] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n" + plain
    found["cut"] = of(plain[:-1])
    return found


def documents(url: str) -> dict[str, tuple[str, str, Any]]:
    """Name -> kind, path and what is answered."""
    link = {"rel": "next", "href": f"{url}/v2.1/servers?marker=1"}
    return {
        "next of images": ("image", LIST, {"images": [], "next": f"{url}/v2/images?marker=1"}),
        "next of servers": ("compute", SERVERS, {"servers": [], "servers_links": [link]}),
    }


def test_no_head_leads_to_a_thief(gateway_alone: Honest, thief: Thief) -> None:
    scope, failed = gateway_alone.straight()["X-Scope"], []
    for name, answer in of_headers(thief.url).items():
        for path in (LIST, image_data()):
            for method in ("GET", "HEAD") if path == LIST else ("GET",):
                try:
                    came = leads_to_nobody(gateway_alone, thief, path, answer, "image", method, scope)
                    assert came.count(b"HTTP/1.") <= 1, came
                except AssertionError as error:
                    failed.append((name, path, method, str(error)[:300]))
    assert failed == []


@pytest.mark.parametrize("what", documents(""))
def test_no_document_leads_to_a_thief_whatever_it_is_written_in(gateway_alone: Honest, thief: Thief, what: str) -> None:
    kind, path, document = documents(thief.url)[what]
    scope, failed = gateway_alone.straight(kind)["X-Scope"], []
    for name, answer in packed(document, thief.url).items():
        try:
            leads_to_nobody(
                gateway_alone, thief, path, answer, kind, "GET", scope, "Accept-Encoding: gzip", "Range: bytes=0-"
            )
        except AssertionError as error:
            failed.append((name, str(error)[:300]))
    assert failed == []
