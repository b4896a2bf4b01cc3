"""Cross-origin requests of browsers (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol), as oslo.middleware's `cors` answers them.

A page of one origin may call the gateway of another one only if the gateway says so: in the answer to a preflight, which the browser sends
before requests with headers such as X-Auth-Token, and in each answer. A preflight has neither token nor scope, so nobody can tell which cloud
it is for: the entry answers it for all of them. It also replaces what backends and other clouds say about origins, since it never passes
on the origin of a page that it answers itself.

Requests of any other origin pass unchanged: the services of this cloud may answer them, by configurations of their own.
"""

import re
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from multidict import CIMultiDict

from openstackoid.core.border import answer_passes, request_passes
from openstackoid.core.protocol import OF_SEVERAL, SCOPE, SUBJECT

ANY: Final = "*"
METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
_CORS: Final = "access-control-"
_ASKED_METHOD: Final = "Access-Control-Request-Method"
_ASKED_HEADERS: Final = "Access-Control-Request-Headers"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_MAX_ASKED: Final = 100  # headers of one request
# Beside the headers of OpenStack's services (`core.border`).
_REQUEST: Final = frozenset({SCOPE.lower(), SUBJECT.lower(), "idempotency-key"})
_ANSWER: Final = frozenset({SUBJECT.lower(), "link", "www-authenticate"})


class Cors:
    """Answers browsers for one configuration.

    Args:
        origins: those of the pages that may call; `*` for any.
        allow_headers: of requests, beside those of OpenStack's services and ours; in lower case.
        expose_headers: of answers, likewise.
        max_age: seconds for which a browser may keep the answer to a preflight.
        credentials: whether browsers may send cookies and the like.
    """

    def __init__(
        self,
        origins: Sequence[str],
        allow_headers: Sequence[str],
        expose_headers: Sequence[str],
        max_age: int,
        *,
        credentials: bool,
    ) -> None:
        self._origins = frozenset(origins)
        self._any = ANY in self._origins
        self._allow = _REQUEST.union(allow_headers)
        self._expose = _ANSWER.union(expose_headers)
        self._max_age = str(max_age)
        self._credentials = credentials

    def preflight(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a preflight of a known origin; None for any other request."""
        asked = request.headers.get(_ASKED_METHOD)
        if request.method != "OPTIONS" or asked is None or not self.knows(request):
            return None
        names = request.headers.get(_ASKED_HEADERS, "").lower().split(",")[:_MAX_ASKED]
        allowed = [name for name in map(str.strip, names) if _TOKEN.fullmatch(name) and self._allows(name)]
        headers = {"Access-Control-Allow-Methods": METHODS, "Access-Control-Max-Age": self._max_age}
        if allowed:
            headers["Access-Control-Allow-Headers"] = ", ".join(allowed)
        return web.Response(status=204, headers=headers)

    def knows(self, request: web.BaseRequest) -> bool:
        """Whether a request comes from a page whose origin may call."""
        origins = request.headers.getall("Origin", ())
        return len(origins) == 1 and (self._any or origins[0] in self._origins)

    def mark(self, request: web.BaseRequest, headers: CIMultiDict[str]) -> None:
        """Say in an answer which pages may read it.

        Args:
            request: that is answered.
            headers: of the answer, changed in place.
        """
        if not self._any and not _varies(headers):
            headers.add("Vary", "Origin")
        if not self.knows(request):
            return
        own = request.method == "OPTIONS" and _ASKED_METHOD in request.headers  # a preflight that was answered here
        if not own:
            for name in [name for name in headers if name.lower().startswith(_CORS)]:
                headers.popall(name, None)
            if exposed := sorted({name for name in headers if self._exposes(name.lower())}):
                headers["Access-Control-Expose-Headers"] = ", ".join(exposed)
        headers["Access-Control-Allow-Origin"] = ANY if self._any else request.headers["Origin"]
        if self._credentials:
            headers["Access-Control-Allow-Credentials"] = "true"

    def _allows(self, name: str) -> bool:
        return request_passes(name) or name in self._allow or name.startswith(OF_SEVERAL.lower())

    def _exposes(self, name: str) -> bool:
        return answer_passes(name) or name in self._expose or name.startswith(OF_SEVERAL.lower())


def _varies(headers: CIMultiDict[str]) -> bool:
    """Whether caches know already that the answer depends on the origin."""
    named = {name.strip().lower() for value in headers.getall("Vary", ()) for name in value.split(",")}
    return not named.isdisjoint({"origin", "*"})
