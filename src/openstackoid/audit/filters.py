"""Which lines of audit somebody asks for, and where their requests came from and went."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from openstackoid.audit.lines import DAMAGED, Line
from openstackoid.core.scope import is_name
from openstackoid.core.services import service_type

DIRECTIONS: Final = ("in", "out", "local")
_DURATION: Final = re.compile(r"(\d{1,6})([smhd])\Z")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_STATUS: Final = re.compile(r"[1-5](?:\d\d|xx)\Z")
_BAD: Final = 400
_FIRST_YEAR: Final = 1970


def direction(line: Line) -> str | None:
    """Where a request came from, and where it went.

    Returns:
        `in`: from a user of another cloud, here. `out`: from a user of this cloud, elsewhere. `local`: a scope let it stay here. None: it had
        no scope, or the line does not say.
    """
    here = line.get("cloud")
    home = line.get("home") or _home_of_scope(line)
    if isinstance(home, str) and home != here:
        return "in"
    if line.get("decision") in {"remote", "several"}:
        return "out"
    scoped = line.get("scope") or line.get("saved_scope") or line.get("by") == "haproxy"
    return "local" if scoped else None


def moment(text: str) -> datetime:
    """A time, or a duration before now.

    Raises:
        ValueError: it is neither.
    """
    try:
        match = _DURATION.match(text)
        if match:
            time = datetime.now(UTC) - timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
        else:
            time = _zoned(datetime.fromisoformat(text)).astimezone(UTC)
        if time.year >= _FIRST_YEAR:
            return time
    except (ValueError, OverflowError):  # a year before 1 or after 9999
        pass
    raise ValueError(f"expected 30s, 15m, 2h, 7d or a time such as 2030-01-31T12:00, from 1970 on, got {text!r}")


def time_of(line: Line) -> datetime | None:
    """When the request of a line ended; None if the line does not say."""
    time = line.get("time")
    with contextlib.suppress(ValueError):
        return _zoned(datetime.fromisoformat(time)) if isinstance(time, str) else None
    return None


@dataclass(frozen=True, slots=True)
class Filter:
    """What a line must be; a value that is None says nothing.

    Attributes:
        direction: one of `DIRECTIONS`.
        peer: the user's home cloud, a cloud that served the request, or one of several.
        user, project: id in the user's home cloud, or here.
        agreement: id, or the beginning of one.
        service: official service type.
        status: `404`, or a class, `4xx`.
        request: a global request id, which all requests of a chain or a fan-out share, or the request id of an answer.
        since, until: times; `until` itself is left out.
        errors: only what was refused or failed.
        all: requests without a scope as well.
    """

    direction: str | None = None
    peer: str | None = None
    user: str | None = None
    project: str | None = None
    agreement: str | None = None
    service: str | None = None
    status: str | None = None
    request: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    errors: bool = False
    all: bool = False

    def matches(self, line: Line) -> bool:
        """Whether a line is asked for. A damaged line is, if its unreadable part may say what is asked for."""
        return self._is_of_interest(line) and self._is_of_clouds(line) and self._is_in_time(line) and self._has(line)

    def _is_of_interest(self, line: Line) -> bool:
        if self.errors and line.get("error") is None and _below(line.get("status"), _BAD):
            return False
        if direction(line) is not None or DAMAGED in line or self.all or self.request is not None:
            return True
        # A forged token has no known home cloud: such an error is of interest.
        return self.errors and line.get("home") is None and line.get("decision") != "local"

    def _is_of_clouds(self, line: Line) -> bool:
        torn, way = DAMAGED in line, direction(line)
        if self.direction is not None and way != self.direction and not (torn and way is None):
            return False
        others = _others(line)
        return self.peer is None or self.peer in others or (torn and not others)

    def _is_in_time(self, line: Line) -> bool:
        if self.since is None and self.until is None:
            return True
        time = time_of(line)
        if time is None:
            return DAMAGED in line and "time" not in line
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)

    def _has(self, line: Line) -> bool:
        def either(expected: str | None, *names: str) -> bool:
            return (
                expected is None
                or any(line.get(name) == expected for name in names)
                or (DAMAGED in line and not any(name in line for name in names))
            )

        agreement = str(line.get("agreement") or "")
        return (
            either(self.user, "user", "local_user")
            and either(self.project, "project", "local_project")
            and either(self.service, "service")
            and either(self.request, "global_request_id", "request_id")
            and self._has_status(line)
            and (agreement.startswith(self.agreement or "") or either(self.agreement, "agreement"))
        )

    def _has_status(self, line: Line) -> bool:
        if self.status is None:
            return True
        status = line.get("status")
        if status is None and DAMAGED in line:
            return True
        text = str(status)
        return text == self.status or (self.status.endswith("xx") and len(text) == 3 and text[0] == self.status[0])  # noqa: PLR2004 - digits


def read(given: Mapping[str, str]) -> Filter:
    """A filter from texts, as a query has them: the names of `Filter`'s attributes; `errors` and `all` are `true` or `false`.

    Raises:
        ValueError: names the parameter, what was expected, and what came.
    """
    values: dict[str, object] = {}
    for name, text in given.items():
        if name in {"errors", "all"}:
            if text not in {"true", "false"}:
                raise ValueError(f"{name}: expected true or false, got {text!r}")
            values[name] = text == "true"
        elif name in {"since", "until"}:
            try:
                values[name] = moment(text)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        elif name == "service":
            values[name] = service_type(text)
            if values[name] is None:
                raise ValueError(f"service: expected a service type such as image, got {text!r}")
        elif name == "direction" and text not in DIRECTIONS:
            raise ValueError(f"direction: expected one of {', '.join(DIRECTIONS)}, got {text!r}")
        elif name == "status" and not _STATUS.match(text):
            raise ValueError(f"status: expected 404 or 4xx, got {text!r}")
        else:
            values[name] = text
    return Filter(**values)  # type: ignore[arg-type]  # each was checked


def _home_of_scope(line: Line) -> str | None:
    """The cloud of the user, by the scope: where tokens pass through, the entry cloud names it in every request to another cloud."""
    scope = line.get("scope")
    identity = scope.get("identity") if isinstance(scope, dict) else None
    return identity if isinstance(identity, str) and is_name(identity) else None


def _others(line: Line) -> set[str]:
    """The other clouds of a request: the user's home cloud, and the clouds that served it."""
    legs = line.get("legs")
    served = [leg.get("peer") for leg in legs if isinstance(leg, dict)] if isinstance(legs, list) else []
    if line.get("decision") != "local":
        served.append(line.get("peer"))
    clouds = (line.get("home") or _home_of_scope(line), *served)
    return {name for name in clouds if isinstance(name, str) and name != line.get("cloud")}


def _below(status: object, limit: int) -> bool:
    return isinstance(status, int) and status < limit


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
