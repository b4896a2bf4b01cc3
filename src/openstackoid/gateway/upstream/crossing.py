"""Checks of an answer that crosses between two owners: status, headers, and type of the body. Pure.

The other cloud is hostile until it is looked at: see docs/explanation/security.md, "What a peer answers". Links in the body are `core.foreign_links`.
"""

import re
from enum import Enum
from http import HTTPStatus
from typing import Final

from multidict import CIMultiDict

from openstackoid.core.border import answer_passes
from openstackoid.core.errors import PeerAnswerError
from openstackoid.core.foreign_links import IncomingLinks

_STATUSES: Final = range(200, 600)
_REDIRECTS: Final = range(300, 400)
_ONCE: Final = ("Content-Type", "Content-Encoding", "Content-Length", "Location", "Content-Location")
_WITH_DATA: Final = frozenset({HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT})
# Encodings that are supersets of ASCII: in others a link could be written so that the checks here miss it.
_CHARSET: Final = re.compile(r'[^;]*;\s*charset="?(?:utf-?8|us-ascii|iso-8859-1)"?;?\s*\Z', re.IGNORECASE)
_BLANK: Final = b" \t\r\n"
# Characters that some readers take for the end of a header (RFC 9110, 5.5).
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Content(Enum):
    """How a body is treated."""

    DATA = "the user's own bytes"
    JSON = "a document"
    UNKNOWN = "whatever it begins like"


def keep_only(headers: CIMultiDict[str]) -> None:
    """Remove the headers of an answer that may not cross."""
    for name in [name for name in headers if not answer_passes(name)]:
        headers.popall(name, None)


def check_head(status: int, headers: CIMultiDict[str], links: IncomingLinks, *, by_service: bool) -> None:
    """Check the head of an answer of another owner's cloud, and remove the headers that may not cross.

    Args:
        status: of the answer.
        headers: of the answer, changed in place.
        links: where links may lead.
        by_service: whether a service sent the request. A service follows redirects with its own token, so it gets none.

    Raises:
        PeerAnswerError: not a valid HTTP answer.
        PeerLeadsAwayError: the answer would send the client, and its token, to another host.
    """
    if status not in _STATUSES:
        raise PeerAnswerError(f"Expected a status from 200 to 599 from {links.cloud}, got {status:03}.")
    for name in _ONCE:
        if len(headers.getall(name, ())) > 1:
            raise PeerAnswerError(f"Expected one {name} header from {links.cloud}, got several.")
    keep_only(headers)
    if any(_CONTROL.search(value) for value in headers.values()):
        raise PeerAnswerError(f"Expected headers without control characters from {links.cloud}.")
    if "Content-Location" in headers:
        headers["Content-Location"] = links.header("Content-Location", headers["Content-Location"])
    location = headers.pop("Location", None)
    if status == HTTPStatus.NOT_MODIFIED or (status == HTTPStatus.MULTIPLE_CHOICES and location is None):
        return
    if status not in _REDIRECTS:
        if location is not None:
            headers["Location"] = links.header("Location", location)
        return
    # A service's client sends the service's own token to any host that it is redirected to.
    if location is None or by_service:
        raise links.refusal(f"redirect ({status})")
    headers["Location"] = links.redirect(location)


def content(status: int, headers: CIMultiDict[str], links: IncomingLinks, *, is_data: bool) -> Content:
    """The treatment of the body of another owner's answer; sets the charset of a text to the one that the checks assumed.

    Args:
        status: of the answer.
        headers: of the answer, changed in place.
        links: for messages.
        is_data: whether the request is for a user's own data (`core.user_data`). Clients may parse any other body as JSON, whatever its type.

    Raises:
        PeerAnswerError: the body is in a form that cannot be checked.
    """
    kind = headers.get("Content-Type", "")
    is_json = "json" in kind.partition(";")[0].lower()
    if status in _WITH_DATA and not is_json and is_data:
        return Content.DATA
    if headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise PeerAnswerError(f"Expected a document as it is from {links.cloud}, got a packed one (Content-Encoding).")
    if "charset" not in kind.lower():
        headers["Content-Type"] = f"{kind.rstrip('; ') or 'text/plain'}; charset=utf-8" if not is_json else kind
    elif not _CHARSET.match(kind):
        raise PeerAnswerError(f"Expected a document in UTF-8 from {links.cloud}, got another encoding (Content-Type).")
    return Content.JSON if is_json else Content.UNKNOWN


def begins(body: bytes) -> bool:
    """Whether the first bytes are enough for `is_like_json`."""
    return len(body.lstrip(_BLANK)) >= 4  # noqa: PLR2004 - the widest character that JSON was ever written in


def opens_json(begun: bytes) -> bool:
    """Whether a body with this beginning may be a JSON list or object in UTF-8."""
    return begun.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)[:1] in {b"{", b"["}


def is_like_json(begun: bytes) -> bool:
    """Whether a client may parse a body with this beginning as JSON, in any encoding that a client guesses (RFC 4627, 3)."""
    return (
        b"\0" in begun[:4]
        or begun.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"))
        or begun.lstrip(_BLANK)[:1] in {b"", b"{", b"["}
    )
