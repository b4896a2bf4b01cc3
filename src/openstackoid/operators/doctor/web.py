"""Small requests of the checks: the head of an answer, or a short document. A server that fails is a finding, not an exception."""

import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import orjson
import requests

from openstackoid.operators.doctor.finding import Finding, failed, ok, warning

_TIMEOUT: Final = 10.0  # seconds to connect, and between two pieces of an answer
_LARGEST: Final = 1 << 20  # bytes
_NOTED: Final = 5.0  # seconds that clocks may differ before it is worth a warning: a Date counts whole seconds
CLOCK_REMEDY: Final = "Have both machines take their time from NTP: chronyc tracking"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, its document if it has one in JSON, and by how many seconds its clock is ahead of ours (None: unknown)."""

    status: int
    document: Any
    ahead: float | None


def fetch(url: str, ca: Path | None) -> Answer | str:
    """The answer at a URL, or why there is none."""
    try:
        with requests.Session() as session:
            session.trust_env = False  # as the gateway: no proxy, and no password from a .netrc
            before = time.time()
            verify: str | bool = str(ca) if ca else True
            with session.get(url, timeout=_TIMEOUT, verify=verify, allow_redirects=False, stream=True) as response:
                ahead = _ahead(response.headers.get("Date"), before, time.time())
                text = response.raw.read(_LARGEST, decode_content=True)
                return Answer(response.status_code, _parsed(text), ahead)
    except requests.Timeout:
        return f"no answer within {_TIMEOUT:g} s"
    except (requests.RequestException, OSError) as error:
        reason: BaseException = error
        while inner := reason.__cause__ or reason.__context__:
            reason = inner
        return str(getattr(reason, "strerror", None) or reason)


def clock(check: str, ahead: float | None, allowed: float) -> Finding | None:
    """Compare a clock with this machine's; None if the server does not tell its time.

    Args:
        check: what is checked.
        ahead: seconds by which that clock is ahead of ours.
        allowed: seconds by which the clocks of two clouds may differ.
    """
    if ahead is None:
        return None
    detail = f"its clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} this machine's"
    if abs(ahead) > allowed:
        return failed(check, f"{detail}; tokens are refused from {allowed:g} s on", CLOCK_REMEDY)
    if abs(ahead) > _NOTED:
        return warning(check, detail, CLOCK_REMEDY)
    return ok(check, "its clock agrees with this machine's")


def _ahead(date: str | None, before: float, after: float) -> float | None:
    try:
        theirs = parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError):
        return None
    # The server's second began at `theirs`, and its answer was made between `before` and `after`.
    return theirs - after if theirs > after else min(0.0, theirs + 1 - before)


def _parsed(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return None
