"""Headers and tokens, pure: checks on those of a request, filters on those that are passed on.

A token may carry its scope: `<token>!SCOPE!{...}`, on `X-Auth-Token` and on `X-Subject-Token`.

WSGI maps `X-Auth-Token` and `X_Auth_Token` to one variable (PEP 3333), so the underscore twins of the headers that
identify the caller are dropped, and duplicates are refused: two readers could use two different ones.
"""

from collections.abc import Sequence
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from openstackoid.core import protocol
from openstackoid.core import scope as scopes
from openstackoid.core.errors import BadRequestError, PeerAnswerError
from openstackoid.core.remembered import remembered
from openstackoid.core.scope import Scope, is_name

MOST_HOPS: Final = 8
LONGEST_ANSWER_HEAD: Final = 23 << 10  # bytes: HAProxy takes 24 KiB, with added headers (haproxy/render.py)
# X-Scope-* headers of requests to several clouds are read, and those of the answers are written, by the entry cloud alone.
_OURS: Final = (protocol.OURS.lower(), protocol.OF_SEVERAL.lower())


def incoming(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers of a request that may be passed on: without ours, hop-by-hop ones and underscore twins.

    Raises:
        BadRequestError: a header that decides the caller, the destination or the body's length is duplicated.
    """
    for name in protocol.ONCE:
        if name in headers and len(headers.getall(name)) > 1:
            raise BadRequestError(f"Expected one {name} header, got {len(headers.getall(name))}.")
    named = {name.strip().lower() for value in headers.getall("Connection", ()) for name in value.split(",")}
    named -= {"", "close", "keep-alive"}
    kept = CIMultiDict(headers)
    for name in headers:
        if not _comes_in(name) or (named and name.lower() in named and name.lower() not in protocol.GUARDED):
            kept.popall(name, None)
    return kept


@remembered
def _comes_in(name: str) -> bool:
    lowered = name.lower()
    dashed = lowered.replace("_", "-")
    if lowered != dashed and dashed in protocol.GUARDED:
        return False
    return dashed not in protocol.HOP_BY_HOP and not dashed.startswith(_OURS)


@remembered
def _goes_out(name: str) -> bool:
    lowered = name.lower()
    return lowered not in protocol.HOP_BY_HOP and not lowered.startswith(_OURS)


def hops(headers: CIMultiDictProxy[str]) -> tuple[str, ...]:
    """Names of the clouds that a request passed through before.

    Anyone may send this header. A forged one harms only the sender's own request: the request may be refused, lose its service token, or get
    other links in its answer.

    Raises:
        BadRequestError: the header is not a list of names separated by commas, or has too many names.
    """
    text = headers.get(protocol.HOPS)
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if len(names) > MOST_HOPS or not all(map(is_name, names)):
        raise BadRequestError(f"Expected {MOST_HOPS} names of clouds at most in {protocol.HOPS}.")
    return names


def split_token(value: str | None) -> tuple[str | None, Scope | None]:
    """A token and the scope that it carries.

    Raises:
        ScopeError: the text behind the mark is not a scope.
    """
    if value is None or protocol.MARK not in value:
        return value, None
    token, _, text = value.partition(protocol.MARK)
    return token, scopes.parse(text)


def with_scope(token: str, scope: Scope) -> str:
    """A token that carries a scope."""
    return f"{token}{protocol.MARK}{scopes.format(scope)}"


def outgoing(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers of an answer that may be passed on: without hop-by-hop headers and without ours."""
    kept = CIMultiDict(headers)
    for name in headers:
        if not _goes_out(name):
            kept.popall(name, None)
    return kept


def refuse_long(upstream: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse an answer whose headers are too large for the next proxy, which would report this gateway as faulty.

    Args:
        upstream: name of the cloud or service that answered.
        headers: as they arrived.

    Raises:
        PeerAnswerError: the headers do not fit into HAProxy's buffer.
    """
    size = sum(len(name) + len(value) + len(": \r\n") for name, value in headers)
    if size > LONGEST_ANSWER_HEAD:
        name, value = max(headers, key=lambda header: len(header[1]))
        raise PeerAnswerError(
            f"{upstream} answered with {size} bytes of headers, expected {LONGEST_ANSWER_HEAD} at most. "
            f"The longest is {name[:64].decode('ascii', 'replace')}, with {len(value)}."
        )
