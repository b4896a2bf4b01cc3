"""Contracts in the database: each event is one transaction, with its message and, if it is ours, with what must be sent.

Calls block: in a coroutine, `asyncio.to_thread`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from openstackoid.regions.errors import ManyContractsError, PartyError, TransitionError, UnknownContractError
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.message import Message
from openstackoid.regions.objects.states import OVER, ContractState, Side
from openstackoid.regions.objects.terms import Terms
from openstackoid.regions.tables import CONTRACTS, MESSAGES, OUTBOX, serialise
from openstackoid.storage.databases import Database

MOST_LIVING: Final = 1000  # contracts of one peer that are not over
_LONGEST_OPERATOR: Final = 255


@dataclass(frozen=True, slots=True)
class Summary:
    """A contract as a list shows it.

    Attributes:
        id: 32 hex digits.
        peer: the other cloud.
        side: ours.
        state: what its messages come to.
        since: when it became so (Unix seconds, by our clock).
        terms: on the table, or agreed.
    """

    id: str
    peer: str
    side: Side
    state: ContractState
    since: int
    terms: Terms


class Contracts:
    """The contracts of a cloud, as provider and as consumer.

    Args:
        database: whose tables are there.
        cloud: this cloud's name.
        sign: makes a message of ours the text that is sent.
    """

    def __init__(self, database: Database, cloud: str, sign: Callable[[Message], str]) -> None:
        self._database = database
        self._cloud = cloud
        self._sign = sign

    def all(self, *states: ContractState) -> list[Summary]:
        """All contracts, or those in some states, the newest last."""
        chosen = select(CONTRACTS).order_by(CONTRACTS.c.since, CONTRACTS.c.id)
        if states:
            chosen = chosen.where(CONTRACTS.c.state.in_([state.value for state in states]))
        with self._database.reading() as connection:
            return [_summary(row) for row in connection.execute(chosen).mappings()]

    def summary(self, identity: str) -> Summary:
        """A contract without its messages.

        Raises:
            UnknownContractError: there is none.
        """
        with self._database.reading() as connection:
            row = _row(connection, identity)
        if row is None:
            raise UnknownContractError(f"No contract {identity[:64]}.")
        return _summary(row)

    def states(self) -> dict[str, ContractState]:
        """Id -> state, of all contracts."""
        with self._database.reading() as connection:
            rows = connection.execute(select(CONTRACTS.c.id, CONTRACTS.c.state)).all()
        return {identity: ContractState(state) for identity, state in rows}

    def get(self, identity: str) -> Contract:
        """A contract with all its messages.

        Raises:
            UnknownContractError: there is none.
        """
        with self._database.reading() as connection:
            return self._load(connection, identity)

    def unacknowledged(self, identity: str) -> int:
        """How many messages of ours the other side has not acknowledged."""
        chosen = select(func.count()).select_from(OUTBOX).where(OUTBOX.c.contract == identity)
        with self._database.reading() as connection:
            return connection.scalar(chosen) or 0

    def request(self, contract: Contract, by: str, now: int) -> Contract:
        """Keep a new contract of ours, with its request, which is to be sent."""
        with self._database.changing() as connection:
            serialise(connection)
            self._insert(connection, contract, now)
            self._ours(connection, contract, by, now)
        return contract

    def cause(self, identity: str, event: Callable[[Contract], Contract], by: str, now: int) -> Contract:
        """Let something of ours happen.

        Args:
            identity: the contract's id.
            event: adds one message of ours (`Contract.cause`).
            by: the operator.
            now: Unix seconds.

        Raises:
            UnknownContractError: there is none.
            RegionsError: whatever `event` raises; nothing has changed then.
        """
        with self._database.changing() as connection:
            serialise(connection)
            before = self._load(connection, identity)
            after = event(before)
            if after.ours[:-1] != before.ours:
                raise TransitionError(f"Expected one new message of the contract {identity}.")
            self._ours(connection, after, by, now)
            self._settle(connection, before, after, now)
        return after

    def receive(self, message: Message, signed: str, side: Side, now: int) -> Contract:
        """Take a message of a peer whose signature was verified.

        Args:
            message: what it says.
            signed: as it came.
            side: ours, of a contract that is not here yet: a request comes from a consumer.
            now: Unix seconds.

        Raises:
            UnknownContractError: it is about a contract that is not here, and is not its request.
            PartyError: the contract is another peer's.
            ManyContractsError: it requests one more than are looked at.
            MessageError, ForkError: see `Contract.receive`.
        """
        with self._database.changing() as connection:
            serialise(connection)
            row = _row(connection, message.contract)
            if row is None:
                return self._first(connection, message, signed, side, now)
            if row["peer"] != message.sender:
                raise PartyError(f"The contract {message.contract} is with another cloud than {message.sender}.")
            before = self._load(connection, message.contract)
            after = before.receive(message)
            if len(after.theirs) > len(before.theirs):
                self._store(connection, after, after.side.other, message, signed, message.sender)
                self._settle(connection, before, after, now)
        return after

    def _first(self, connection: Connection, message: Message, signed: str, side: Side, now: int) -> Contract:
        living = (CONTRACTS.c.peer == message.sender) & CONTRACTS.c.state.not_in([state.value for state in OVER])
        if (connection.scalar(select(func.count()).select_from(CONTRACTS).where(living)) or 0) >= MOST_LIVING:
            raise ManyContractsError(f"{message.sender} has {MOST_LIVING} contracts that are not over.")
        empty = Contract(message.contract, side, self._cloud, message.sender)
        if message.number != 1:
            raise UnknownContractError(f"No contract {message.contract}: its first message has to come first.")
        contract = empty.receive(message)
        if contract.outcome.state is None:
            raise UnknownContractError(f"No contract {message.contract}: {contract.outcome.steps[-1].void}")
        self._insert(connection, contract, now)
        self._store(connection, contract, side.other, message, signed, message.sender)
        return contract

    def _insert(self, connection: Connection, contract: Contract, now: int) -> None:
        values = {"id": contract.id, "peer": contract.peer, "side": contract.side.value, **_outcome(contract)}
        connection.execute(insert(CONTRACTS).values(values | {"since": now}))

    def _settle(self, connection: Connection, before: Contract, after: Contract, now: int) -> None:
        values = _outcome(after)
        if before.outcome.state is not after.outcome.state:
            values["since"] = now
        connection.execute(update(CONTRACTS).where(CONTRACTS.c.id == after.id).values(values))

    def _ours(self, connection: Connection, contract: Contract, by: str, now: int) -> None:
        message = contract.ours[-1]
        self._store(connection, contract, contract.side, message, self._sign(message), by)
        values = {"contract": contract.id, "number": message.number, "due": now, "attempts": 0, "error": ""}
        connection.execute(insert(OUTBOX).values(values))

    def _store(
        self, connection: Connection, contract: Contract, side: Side, message: Message, signed: str, by: str
    ) -> None:
        values = {"contract": contract.id, "side": side.value, "number": message.number, "signed": signed}
        payload = json.dumps(message.to_json(), sort_keys=True, separators=(",", ":"))
        connection.execute(insert(MESSAGES).values(values | {"payload": payload, "operator": by[:_LONGEST_OPERATOR]}))

    def _load(self, connection: Connection, identity: str) -> Contract:
        row = _row(connection, identity)
        if row is None:
            raise UnknownContractError(f"No contract {identity}.")
        logs: dict[str, list[Message]] = {side.value: [] for side in Side}
        chosen = select(MESSAGES.c.side, MESSAGES.c.payload).where(MESSAGES.c.contract == identity)
        for side, payload in connection.execute(chosen.order_by(MESSAGES.c.number)):
            logs[side].append(Message.from_json(json.loads(payload)))
        side = Side(row["side"])
        return Contract(
            identity, side, self._cloud, row["peer"], tuple(logs[side.value]), tuple(logs[side.other.value])
        )


def _row(connection: Connection, identity: str) -> RowMapping | None:
    return connection.execute(select(CONTRACTS).where(CONTRACTS.c.id == identity)).mappings().one_or_none()


def _outcome(contract: Contract) -> dict[str, Any]:
    outcome = contract.outcome
    if outcome.state is None or outcome.terms is None:
        raise UnknownContractError(f"No contract {contract.id}: nothing was requested.")
    terms = json.dumps(outcome.terms.to_json(), sort_keys=True, separators=(",", ":"))
    return {"state": outcome.state.value, "terms": terms, "virtual_region": outcome.terms.virtual_region}


def _summary(row: RowMapping) -> Summary:
    terms = Terms.from_json(json.loads(row["terms"]))
    return Summary(row["id"], row["peer"], Side(row["side"]), ContractState(row["state"]), row["since"], terms)
