"""The request of an operation, encrypted with this cloud's keys for the gateway that may take it over: token, headers, documents."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from openstackoid.core.errors import TokenError
from openstackoid.trust import sealing
from openstackoid.trust.keys import Keys

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Request:
    """What an operation sends.

    Attributes:
        token: the user's, without a scope.
        headers: of the user's request, those that may be passed on.
        service: official service type.
        method: HTTP method.
        collection: path of the list inside the service.
        rest: what follows the id in the path of a member, with the query.
        content_type: of the documents.
        documents: one for each part; None for no body.
    """

    token: str
    headers: Sequence[tuple[str, str]]
    service: str
    method: str
    collection: str
    rest: str
    content_type: str
    documents: Sequence[Any]


class Seals:
    """Encrypts and decrypts requests.

    Args:
        keys: gives this cloud's current keys.
        clock: Unix seconds.
    """

    def __init__(self, keys: Callable[[], Keys], clock: Callable[[], float]) -> None:
        self._keys = keys
        self._clock = clock

    def seal(self, request: Request) -> str:
        """A request as text that only gateways of this cloud can read."""
        plain = [
            _VERSION,
            request.token,
            [list(pair) for pair in request.headers],
            request.service,
            request.method,
            request.collection,
            request.rest,
            request.content_type,
            list(request.documents),
        ]
        return sealing.seal(json.dumps(plain), self._keys(), self._clock())

    def open(self, sealed: str | None) -> Request | None:
        """The request; None if none of this cloud's keys opens it: it is older than they are."""
        if sealed is None:
            return None
        try:
            version, token, headers, *rest = json.loads(sealing.unseal(sealed, self._keys()))
        except TokenError:
            return None
        if version != _VERSION:
            return None
        return Request(token, [(name, value) for name, value in headers], *rest)
