"""Who used what: the audit of this machine's gateways and HAProxy, newest first, for operators.

GET /openstackoid/v1/audit?limit=100&since=2h&peer=CloudTwo

    {"cloud": "CloudOne", "lines": [{"time": ..., "direction": "in", ...}, ...], "next": "MARKER", "reached": "2030-01-01T00:00:00.000Z"}

One answer reads a bounded part of the files (`audit.trail`), so it may have fewer lines than it was asked for, or none: `next` then says that there
is more. A request to several clouds is one line with `legs`; those of a chain share their `global_request_id`.
"""

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

from openstackoid.audit.filters import Filter, direction, read
from openstackoid.audit.lines import DAMAGED, Line
from openstackoid.audit.trail import MarkerError, Page, Trail
from openstackoid.core import errors
from openstackoid.core.protocol import AUDIT_PATH
from openstackoid.gateway.api.endpoints import READS, Audience, Endpoint, Question
from openstackoid.gateway.operating.access import Access
from openstackoid.gateway.telemetry.audit import without_tokens

MOST: Final = 1000  # lines of an answer
DEFAULT: Final = 100
_LONGEST: Final = 1024  # characters of a parameter
_FILTERS: Final = frozenset(Filter.__dataclass_fields__)
# Searches of a worker; further ones wait. Not among the event loop's own threads, which read the database of agreements.
_THREADS: Final = ThreadPoolExecutor(2, thread_name_prefix="audit")


class AuditElsewhereError(errors.OpenStackoidError):
    """The audit goes where the gateway cannot read it."""

    status = 404
    code = "audit.elsewhere"


class Auditing:
    """Answers about the audit.

    Args:
        cloud: this cloud's name.
        files: of the audit; none if it goes to standard output.
        access: lets operators in.
    """

    def __init__(self, cloud: str, files: list[Path], access: Access) -> None:
        self._cloud = cloud
        self._files = files
        self._access = access

    def endpoints(self) -> list[Endpoint]:
        """The path of these answers."""
        return [Endpoint(AUDIT_PATH, READS, Audience.USERS, self._list)]

    async def _list(self, question: Question) -> dict[str, Any]:
        await self._access.check(question.request, "audit:list")
        if not self._files:
            raise AuditElsewhereError(
                "The audit goes to standard output here. Operators: let it go to a file (audit), or name the files that hold it (operators.audit)."
            )
        limit, marker, wanted = _asked(question.request.query)
        left = threading.Event()
        search = partial(_page, Trail(self._files, left.is_set), wanted, limit, marker)
        try:
            page = await asyncio.get_running_loop().run_in_executor(_THREADS, search)
        finally:
            left.set()  # when the client leaves, this coroutine is cancelled, and the thread goes on until it is told
        lines = [_shown(line) for line in page.lines]
        return {"cloud": self._cloud, "lines": lines, "next": page.marker, "reached": page.reached}


def _asked(query: Mapping[str, str]) -> tuple[int, str | None, Filter]:
    given = {name: text for name, text in query.items() if text}
    for name, text in given.items():
        if name not in _FILTERS | {"limit", "marker"}:
            raise errors.BadRequestError(
                f"Expected one of limit, marker, {', '.join(sorted(_FILTERS))}; got {name[:64]!a}."
            )
        if len(text) > _LONGEST:
            raise errors.BadRequestError(f"{name}: expected {_LONGEST} characters at most.")
    limit, marker = given.pop("limit", str(DEFAULT)), given.pop("marker", None)
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(MOST)) and 0 < int(limit) <= MOST):
        raise errors.BadRequestError(f"limit: expected a number from 1 to {MOST}, got {limit!a}.")
    try:
        return int(limit), marker, read(given)
    except ValueError as error:
        raise errors.BadRequestError(f"{error}.") from None


def _page(trail: Trail, wanted: Filter, limit: int, marker: str | None) -> Page:
    try:
        return trail.page(wanted.matches, limit, marker, wanted.since, wanted.until)
    except MarkerError as error:
        raise errors.MarkerError(f"marker: {error}.") from None
    except OSError as error:
        raise AuditElsewhereError(
            f"The audit cannot be read: {error.strerror}. Operators: see audit and operators.audit."
        ) from None


def _shown(line: Line) -> Line:
    """A line as it leaves: files may be of older gateways, or of other programs, so tokens in paths are taken out again."""
    cleaned = {key: without_tokens(line[key]) for key in ("path", DAMAGED) if isinstance(line.get(key), str)}
    return {**line, **cleaned, "direction": direction(line)}
