"""The states of virtual regions and of contracts: one table each. Pure.

A row says: in this state (None: there is nothing yet), this event, caused by one who may, leads to that state. What no row names is not allowed.
`both` marks the rows after which terms bind both sides: the event carries the digest of the terms on the table, so that the signed message with
the terms and the signed message with their digest together are both sides' signatures.

Events of a contract that a clock causes (`expire`, `end` at the end of the terms, `finish` after the grace days) are the provider's, whose
order of events both sides follow (`contract`). The diagrams in the documentation are drawn from these tables (`diagram`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Side(StrEnum):
    """A side of a contract."""

    PROVIDER = "provider"
    CONSUMER = "consumer"

    @property
    def other(self) -> "Side":
        """The other one."""
        return Side.CONSUMER if self is Side.PROVIDER else Side.PROVIDER


class Who(StrEnum):
    """Who may cause an event."""

    PROVIDER = "provider"
    CONSUMER = "consumer"
    EITHER = "either side"
    ANSWERING = "the side that did not write the terms on the table"


class RegionState(StrEnum):
    """Where a virtual region stands; only its provider changes it."""

    DRAFT = "draft"
    OFFERED = "offered"
    WITHDRAWN = "withdrawn"
    RETIRED = "retired"


class RegionEvent(StrEnum):
    """What a provider does with a virtual region."""

    CREATE = "create"
    CHANGE = "change"
    OFFER = "offer"
    WITHDRAW = "withdraw"
    RETIRE = "retire"


class ContractState(StrEnum):
    """Where a contract stands."""

    REQUESTED = "requested"
    COUNTERED = "countered"
    AGREED = "agreed"
    PROVISIONING = "provisioning"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDING = "ending"
    ENDED = "ended"
    REJECTED = "rejected"
    EXPIRED = "expired"


class ContractEvent(StrEnum):
    """What one side does with a contract."""

    REQUEST = "request"
    COUNTER = "counter"
    ACCEPT = "accept"
    REJECT = "reject"
    EXPIRE = "expire"
    PROVISION = "provision"
    ACTIVATE = "activate"
    SUSPEND = "suspend"
    RESUME = "resume"
    END = "end"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Transition:
    """A row of a table.

    Attributes:
        state: before; None before there is anything.
        event: what happens.
        who: who may cause it.
        both: whether terms bind both sides from here on, so that both must have signed them.
        next: the state after it.
    """

    state: str | None
    event: str
    who: Who
    both: bool
    next: str


_R, _E = RegionState, RegionEvent
REGION: Final = (
    Transition(None, _E.CREATE, Who.PROVIDER, both=False, next=_R.DRAFT),
    Transition(_R.DRAFT, _E.CHANGE, Who.PROVIDER, both=False, next=_R.DRAFT),
    Transition(_R.DRAFT, _E.OFFER, Who.PROVIDER, both=False, next=_R.OFFERED),
    Transition(_R.DRAFT, _E.RETIRE, Who.PROVIDER, both=False, next=_R.RETIRED),
    Transition(_R.OFFERED, _E.CHANGE, Who.PROVIDER, both=False, next=_R.OFFERED),
    Transition(_R.OFFERED, _E.WITHDRAW, Who.PROVIDER, both=False, next=_R.WITHDRAWN),
    Transition(_R.WITHDRAWN, _E.CHANGE, Who.PROVIDER, both=False, next=_R.WITHDRAWN),
    Transition(_R.WITHDRAWN, _E.OFFER, Who.PROVIDER, both=False, next=_R.OFFERED),
    Transition(_R.WITHDRAWN, _E.RETIRE, Who.PROVIDER, both=False, next=_R.RETIRED),
)

_S, _V = ContractState, ContractEvent
CONTRACT: Final = (
    Transition(None, _V.REQUEST, Who.CONSUMER, both=False, next=_S.REQUESTED),
    Transition(_S.REQUESTED, _V.COUNTER, Who.ANSWERING, both=False, next=_S.COUNTERED),
    Transition(_S.REQUESTED, _V.ACCEPT, Who.ANSWERING, both=True, next=_S.AGREED),
    Transition(_S.REQUESTED, _V.REJECT, Who.EITHER, both=False, next=_S.REJECTED),
    Transition(_S.REQUESTED, _V.EXPIRE, Who.PROVIDER, both=False, next=_S.EXPIRED),
    Transition(_S.COUNTERED, _V.COUNTER, Who.ANSWERING, both=False, next=_S.COUNTERED),
    Transition(_S.COUNTERED, _V.ACCEPT, Who.ANSWERING, both=True, next=_S.AGREED),
    Transition(_S.COUNTERED, _V.REJECT, Who.EITHER, both=False, next=_S.REJECTED),
    Transition(_S.COUNTERED, _V.EXPIRE, Who.PROVIDER, both=False, next=_S.EXPIRED),
    Transition(_S.AGREED, _V.PROVISION, Who.PROVIDER, both=False, next=_S.PROVISIONING),
    Transition(_S.AGREED, _V.END, Who.EITHER, both=False, next=_S.ENDING),
    Transition(_S.PROVISIONING, _V.ACTIVATE, Who.PROVIDER, both=False, next=_S.ACTIVE),
    Transition(_S.PROVISIONING, _V.END, Who.EITHER, both=False, next=_S.ENDING),
    Transition(_S.ACTIVE, _V.SUSPEND, Who.PROVIDER, both=False, next=_S.SUSPENDED),
    Transition(_S.ACTIVE, _V.END, Who.EITHER, both=False, next=_S.ENDING),
    Transition(_S.SUSPENDED, _V.RESUME, Who.PROVIDER, both=False, next=_S.ACTIVE),
    Transition(_S.SUSPENDED, _V.END, Who.EITHER, both=False, next=_S.ENDING),
    Transition(_S.ENDING, _V.FINISH, Who.PROVIDER, both=False, next=_S.ENDED),
)
# Contracts that are over: nothing can happen to them, and their virtual region can be retired.
OVER: Final = frozenset({_S.ENDED, _S.REJECTED, _S.EXPIRED})


def find(table: tuple[Transition, ...], state: str | None, event: str) -> Transition | None:
    """The row for an event in a state, or None if it is not allowed there."""
    return next((row for row in table if row.state == state and row.event == event), None)


def events(table: tuple[Transition, ...], state: str | None) -> list[str]:
    """The events that a state allows, in the table's order."""
    return [str(row.event) for row in table if row.state == state]


def may(row: Transition, side: Side, author: Side | None) -> bool:
    """Whether a side may cause the event of a row.

    Args:
        row: of `CONTRACT`.
        side: who wants to.
        author: who wrote the terms on the table; None before there are any.
    """
    match row.who:
        case Who.EITHER:
            return True
        case Who.ANSWERING:
            return author is not None and side is author.other
        case _:
            return row.who.value == side.value


def diagram(table: tuple[Transition, ...]) -> str:
    """A table as a state diagram in Mermaid's language; an event that both sides must have signed has a star."""
    return "\n".join(["stateDiagram-v2", *_arrows(table)])


def _arrows(table: tuple[Transition, ...]) -> Iterator[str]:
    for row in table:
        yield f"    {row.state or '[*]'} --> {row.next}: {row.event}{'*' if row.both else ''} ({_SHORT[row.who]})"
    leads_on = {row.state for row in table}
    for state in dict.fromkeys(row.next for row in table):
        if state not in leads_on:
            yield f"    {state} --> [*]"


_SHORT: Final = {Who.PROVIDER: "provider", Who.CONSUMER: "consumer", Who.EITHER: "either", Who.ANSWERING: "answering"}
