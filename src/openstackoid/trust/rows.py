"""Rows of the database of agreements, as values: agreements, and events of their history."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, insert, select

from openstackoid.trust.agreements import Agreement, State
from openstackoid.trust.grants import Grant
from openstackoid.trust.tables import AGREEMENTS, EVENTS

_MAX_OPERATOR: Final = 255  # characters
NOTHING: Final = Grant(roles={}, home=())


@dataclass(frozen=True, slots=True)
class Version:
    """A fingerprint of a database's content: it differs whenever the content has changed.

    Attributes:
        revision: grows with every change of agreements and peer keys.
        event: number of the last change of an agreement.
        file: of SQLite: device, inode, size and time of its file.
    """

    revision: int
    event: int
    file: tuple[int, ...]

    def follows(self, before: "Version") -> bool:
        """Whether the database of the other state may have become this one by changes; false for another or a restored database."""
        same = self.file[:2] == before.file[:2]
        return same and self.revision >= before.revision and self.event >= before.event


@dataclass(frozen=True, slots=True)
class Event:
    """One change of an agreement.

    Attributes:
        time: UTC, ISO 8601 with milliseconds, as in the audit.
        peer: the other cloud.
        agreement: the agreement's id.
        event: `add`, `repin`, or an event of `TRANSITIONS`.
        by: the operator.
        state: after the event; None if the agreement was removed.
        detail: the values set: `url`, `fingerprint`, `grant`.
    """

    time: str
    peer: str
    agreement: str
    event: str
    by: str
    state: State | None
    detail: Mapping[str, Any]


def event_of(row: RowMapping) -> Event:
    """An event, from its row."""
    state = State(row["state"]) if row["state"] else None
    detail = json.loads(row["detail"])
    return Event(row["time"], row["peer"], row["agreement"], row["event"], row["operator"], state, detail)


def agreement_of(row: RowMapping) -> Agreement:
    """An agreement, from its row; suspended and without a grant if a newer version wrote what this one cannot read."""
    state, grant = readable(row) or (State.SUSPENDED, NOTHING)
    return Agreement(row["id"], row["peer"], row["url"], row["fingerprint"], state, grant)


def readable(row: RowMapping) -> tuple[State, Grant] | None:
    """State and grant of a row; None if this version cannot read them."""
    try:
        return State(row["state"]), Grant.model_validate_json(row["allowed"])
    except ValueError:  # pydantic's errors are ValueErrors
        return None


def row_of(connection: Connection, peer: str) -> RowMapping | None:
    """The row of the agreement with a peer."""
    return connection.execute(select(AGREEMENTS).where(AGREEMENTS.c.peer == peer)).mappings().one_or_none()


def add_event(
    connection: Connection, about: Agreement, event: str, by: str, state: State | None, detail: Mapping[str, Any]
) -> None:
    """Add a row of history, in the transaction of the change."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    values = {"time": now, "peer": about.peer, "agreement": about.id, "event": event, "detail": compact(detail)}
    values["operator"] = by[:_MAX_OPERATOR]
    connection.execute(insert(EVENTS).values(**values, state=state.value if state else None))


def grant_document(grant: Grant) -> dict[str, Any]:
    """A grant as JSON has it."""
    return grant.model_dump(mode="json")


def compact(document: Mapping[str, Any]) -> str:
    """A document as JSON: the same text for the same document."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))
