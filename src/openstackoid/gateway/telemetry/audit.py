"""The audit: one JSON line a request, with the request, its route and its result. It never has a token, a query or a body.

    {"time": "2030-01-01T00:00:00.000Z", "cloud": "CloudOne", "status": 200, "error": null, "decision": "remote", "peer": "CloudTwo",
     "service": "image", "home": "CloudOne", "user": ID, "project": ID, "local_user": null, "local_project": null, "agreement": ID,
     "client": "10.0.0.9", "ms": 12.3, "request_id": "req-...", "global_request_id": "req-...", "saved_scope": null,
     "scope": {"image": "CloudTwo"}, "method": "GET", "path": "/v2/images"}

A request that went to several clouds has `legs` besides: `peer`, `decision`, `agreement`, `status`, `error` and `ms` of the first four.

`user` and `project` are ids in the cloud `home`; `local_user` and `local_project` are the ids that stand for them here.
They are known if a federated token was issued or admitted, else null.

Lines of several clouds are joined by `global_request_id`, which every hop and every service passes on.

Text from a client or another cloud is bounded and reduced to printable ASCII, so that a line is shorter than an atomic write to a pipe
(PIPE_BUF, 4,096 bytes). The most important fields come first, text from clients last: a line that is cut later loses little.
"""

import re
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import orjson

from openstackoid.core.scope import Scope

# Old clients put tokens into paths: /v2.0/tokens/TOKEN.
_SECRET: Final = re.compile(r"(?<=/tokens/)[^/]+")
_LONGEST: Final = 1024  # characters of a path, or of a scope
_MAX_LEGS: Final = 4  # a line stays shorter than an atomic write to a pipe
_NAME: Final = 64  # characters of an id or a name
# Printable ASCII that JSON need not escape.
_PLAIN: Final = re.compile(r"[ !#-\[\]-~]*")
_UNQUOTED: Final = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("\\", "") + " "
CLIENT_GONE: Final = 499  # nginx's number for it; HTTP defines none


@dataclass(frozen=True, slots=True)
class Initiator:
    """The user behind a request: ids of user and project at home and here, and the agreement between the two clouds."""

    home: str
    user: str | None = None
    project: str | None = None
    local_user: str | None = None
    local_project: str | None = None
    agreement: str | None = None


@dataclass(slots=True)
class LegRecord:
    """A request to one cloud, and its result. `ms`: milliseconds until the head of its answer."""

    cloud: str
    decision: str
    agreement: str | None = None
    status: int | None = None
    error: str | None = None
    ms: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """The leg as a value of a line's `legs`."""
        return {
            "peer": self.cloud,
            "decision": self.decision,
            "agreement": self.agreement,
            "status": self.status,
            "error": self.error,
            "ms": round(self.ms, 3),
        }


@dataclass(slots=True)
class Record:
    """The audit record of one request, filled in as the facts become known. `ms`: milliseconds."""

    cloud: str
    client: str | None
    method: str
    path: str
    global_request_id: str
    request_id: str | None = None
    service: str | None = None
    scope: Scope | None = None
    saved_scope: str | None = None
    decision: str | None = None
    peer: str | None = None
    home: str | None = None
    user: str | None = None
    project: str | None = None
    local_user: str | None = None
    local_project: str | None = None
    agreement: str | None = None
    status: int = CLIENT_GONE
    error: str | None = None
    ms: float = 0.0
    legs: list[LegRecord] = field(default_factory=list)

    def note(self, initiator: Initiator | None) -> None:
        """Record the user behind the request, if the user is known."""
        if initiator is None:
            return
        self.home, self.user, self.project = initiator.home, initiator.user, initiator.project
        self.local_user, self.local_project = initiator.local_user, initiator.local_project
        self.agreement = initiator.agreement

    def line(self) -> bytes:
        """The record as a line of JSON."""
        fields = {
            "time": _now(),
            "cloud": self.cloud,
            "status": self.status,
            "error": self.error,
            "decision": self.decision,
            "peer": self.peer,
            "service": self.service,
            "home": self.home,
            "user": _bounded(self.user),
            "project": _bounded(self.project),
            "local_user": self.local_user,
            "local_project": self.local_project,
            "agreement": self.agreement,
            "client": _bounded(self.client),
            "ms": round(self.ms, 3),
            "request_id": _bounded(self.request_id),
            "global_request_id": self.global_request_id,
            "saved_scope": _bounded(self.saved_scope),
            "scope": _entries(self.scope) if self.scope else None,
            "method": _bounded(self.method),
            "path": _bounded(without_tokens(self.path), _LONGEST),
        }
        if len(self.legs) > 1:
            fields["legs"] = [leg.to_json() for leg in self.legs[:_MAX_LEGS]]
        return orjson.dumps(fields, option=orjson.OPT_APPEND_NEWLINE)


def without_tokens(path: str) -> str:
    """A path without the token that old clients put into it."""
    return _SECRET.sub("***", path)


def _bounded(text: str | None, longest: int = _NAME) -> str | None:
    """An untrusted text, cut, with all but printable ASCII percent-encoded: `%22`, `%0A`, `%FF`."""
    if text is None:
        return None
    text = text[:longest]
    if _PLAIN.fullmatch(text):
        return text
    # Bytes that are not UTF-8 were decoded to surrogates (PEP 383).
    return quote(text.encode("utf-8", "surrogateescape"), safe=_UNQUOTED)[:longest]


def _entries(scope: Scope) -> dict[str, str]:
    """A scope, cut to the length that has room."""
    entries, left = {}, _LONGEST
    for number, (kind, expression) in enumerate(scope.entries):
        text = str(expression)
        left -= len(kind) + len(text) + len('"":"",')
        if left < 0:
            entries["..."] = f"and {len(scope.entries) - number} more"
            break
        entries[kind] = text
    return entries


def _now() -> str:
    seconds, milliseconds = divmod(int(time.time() * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
