"""One JSON line a request: what was asked, where it went and how it ended. Never a token, a query or a body.

    {"time": "2030-01-01T00:00:00.000Z", "cloud": "CloudOne", "request_id": "req-...", "global_request_id": "req-...",
     "client": "10.0.0.9", "method": "GET", "service": "image", "path": "/v2/images", "scope": {"image": "CloudTwo"},
     "saved_scope": null, "decision": "remote", "peer": "CloudTwo", "home": "CloudOne", "user": ID, "project": ID,
     "local_user": null, "local_project": null, "agreement": ID, "status": 200, "error": null, "ms": 12.3}

`user` and `project` are those of `home`, the cloud that they are of; `local_user` and `local_project` what stands for them here.
They are known where a federated token was minted, or let in; null elsewhere.

Lines of several clouds are joined by `global_request_id`, which every hop and every service passes on.
"""

import os
import re
import sys
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson

from openstackoid.core.scope import Scope

# Old clients put tokens into paths: /v2.0/tokens/TOKEN.
_SECRET: Final = re.compile(r"(?<=/tokens/)[^/]+")
_LONGEST: Final = 1024
CLIENT_GONE: Final = 499  # nginx's number for it; no HTTP status says this


@dataclass(slots=True)
class Record:
    """What one request comes to; filled as it becomes known. `ms`: milliseconds."""

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

    def line(self) -> bytes:
        """The record as a line of JSON."""
        return orjson.dumps(
            {
                "time": _now(),
                "cloud": self.cloud,
                "request_id": self.request_id,
                "global_request_id": self.global_request_id,
                "client": self.client,
                "method": self.method,
                "service": self.service,
                "path": _SECRET.sub("***", self.path[:_LONGEST]),
                "scope": {kind: str(expression) for kind, expression in self.scope.entries} if self.scope else None,
                "saved_scope": self.saved_scope,
                "decision": self.decision,
                "peer": self.peer,
                "home": self.home,
                "user": self.user,
                "project": self.project,
                "local_user": self.local_user,
                "local_project": self.local_project,
                "agreement": self.agreement,
                "status": self.status,
                "error": self.error,
                "ms": round(self.ms, 3),
            },
            option=orjson.OPT_APPEND_NEWLINE,
        )


def _now() -> str:
    seconds, milliseconds = divmod(int(time.time() * 1000), 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


class Audit:
    """Where the lines go: a file that several workers append to, or standard output."""

    def __init__(self, path: Path | None) -> None:
        # One write of a line with O_APPEND is whole, also among several processes.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = sys.stdout.fileno() if path is None else os.open(path, flags, 0o640)
        self._owned = path is not None

    def write(self, record: Record) -> None:
        """Append one line. A full disk must not stop the traffic: it costs the line."""
        try:
            os.write(self._file, record.line())
        except OSError as error:
            print(f"audit: {error}", file=sys.stderr)

    def close(self) -> None:
        """Close the file."""
        if self._owned:
            os.close(self._file)
