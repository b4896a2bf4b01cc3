"""Headers and tokens, pure: what comes in is checked, what goes out holds nothing that must not.

A token may carry its scope: `<token>!SCOPE!{...}`, on `X-Auth-Token` and on `X-Subject-Token`.

WSGI maps `X-Auth-Token` and `X_Auth_Token` to one variable (PEP 3333), so the underscore twins of the headers that
decide who asks are dropped, and doubled ones are refused: two readers could believe two different ones.
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
LONGEST_ANSWER_HEAD: Final = 23 << 10  # bytes: HAProxy takes 24 KiB, with what is added on the way (haproxy/render.py)
# Wishes of a request to several clouds are read at its entry, and what an answer says of several is said there.
_OURS: Final = (protocol.OURS.lower(), protocol.OF_SEVERAL.lower())


def incoming(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers of a request that may be passed on: ours, hop-by-hop ones and underscore twins are gone.

    Raises:
        BadRequestError: a header that decides who asks, where and how much is doubled.
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
    """Names of the clouds that a request met before.

    Anyone may send this header: it can have one's own request refused, its service token dropped, and links lead elsewhere.

    Raises:
        BadRequestError: not names with commas between them, or too many.
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
        ScopeError: what stands behind the mark is no scope.
    """
    if value is None or protocol.MARK not in value:
        return value, None
    token, _, text = value.partition(protocol.MARK)
    return token, scopes.parse(text)


def with_scope(token: str, scope: Scope) -> str:
    """A token that carries a scope."""
    return f"{token}{protocol.MARK}{scopes.format(scope)}"


def outgoing(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers of an answer that may be passed on: none that are hop-by-hop, none of ours."""
    kept = CIMultiDict(headers)
    for name in headers:
        if not _goes_out(name):
            kept.popall(name, None)
    return kept


def refuse_long(upstream: str, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Refuse an answer whose headers the next one on its way could not take, and would blame on this gateway.

    Args:
        upstream: who answered.
        headers: as they came.

    Raises:
        PeerAnswerError: they have more than fits into HAProxy's buffer.
    """
    size = sum(len(name) + len(value) + len(": \r\n") for name, value in headers)
    if size > LONGEST_ANSWER_HEAD:
        name, value = max(headers, key=lambda header: len(header[1]))
        raise PeerAnswerError(
            f"{upstream} answered with {size} bytes of headers, expected {LONGEST_ANSWER_HEAD} at most. "
            f"The longest is {name[:64].decode('ascii', 'replace')}, with {len(value)}."
        )
