"""Statements of use between the two sides of a contract: made, received, answered, sent until the other side has them.

They travel as contracts' messages do: signed, numbered, idempotent, at the same path of the peering door.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from openstackoid.core.errors import OpenStackoidError
from openstackoid.regions.errors import NotMeasuredError, PartyError, PeriodError
from openstackoid.regions.metering import Meter
from openstackoid.regions.objects import statement as statements
from openstackoid.regions.objects.statement import ANSWER, Difference, Statement
from openstackoid.regions.objects.states import Side
from openstackoid.regions.objects.terms import format_time
from openstackoid.regions.objects.usage import Line, Period
from openstackoid.regions.peers import Peers
from openstackoid.regions.schemas import usage as schema
from openstackoid.regions.schemas.common import check
from openstackoid.regions.tables.contract import Contracts, Summary
from openstackoid.regions.tables.usage import Due, Usages
from openstackoid.trust import tokens
from openstackoid.trust.keys import Keys


@dataclass(frozen=True, slots=True)
class Statements:
    """What both sides have signed about use.

    Attributes:
        cloud: this cloud's name.
        contracts, usages: tables.
        peers: other control planes.
        keys: this cloud's.
        meter: measures; None if this control plane does not.
    """

    cloud: str
    contracts: Contracts
    usages: Usages
    peers: Peers
    keys: Keys
    meter: Meter | None

    async def lines(self, contract: Summary, period: Period) -> list[Line]:
        """What a contract's projects have used: measured here, or asked of the provider.

        Raises:
            NotMeasuredError: this provider does not measure.
            OpenStackoidError: an account is refused, or somebody does not answer.
        """
        if contract.side is Side.CONSUMER:
            asked = {"contract": contract.id, "from": period.first.isoformat(), "until": period.end.isoformat()}
            return [Line.from_json(line) for line in await self.peers.usage(contract.peer, asked)]
        if self.meter is None:
            raise NotMeasuredError(
                f"{self.cloud} measures no use: the configuration of its control plane has no section provider."
            )
        return await self.meter.measure(contract, period)

    async def make(self, contract: Summary, period: Period, by: str) -> Statement:
        """Sign what was used in a period that is over. The same period again is the same statement.

        Raises:
            PartyError: we are the consumer.
            PeriodError: it is not over, or another statement covers some of it.
            OpenStackoidError: see `lines`.
        """
        if contract.side is not Side.PROVIDER:
            raise PartyError(f"{contract.peer} is the provider of the contract {contract.id}, and makes statements.")
        if period.over > datetime.now(UTC):
            raise PeriodError(f"Expected days that are over, got {period.end} as the day after the last one.")
        there = await asyncio.to_thread(self.usages.all, contract.id)
        for signed in there.values():
            before = Statement(signed.document)
            if before.period == period:
                return before
        lines = await self.lines(contract, period)
        number, time_of = len(there) + 1, format_time(datetime.now(UTC))
        made = statements.make(self.cloud, contract.peer, contract.id, number, period, lines, contract.terms, time_of)
        check(made.document, schema.PAYLOAD_STATEMENT)
        text = statements.sign(made.document, self.keys, time.time())
        if len(text) > statements.LONGEST:
            raise PeriodError(f"{len(lines)} lines are too many for one statement: sign fewer days.")
        await asyncio.to_thread(self.usages.add, made, text, by, ours=True, now=int(time.time()))
        return made

    async def respond(self, contract: Summary, number: int, by: str, *, accepted: bool, reason: str) -> None:
        """Sign an answer to a statement of the provider. The same answer again changes nothing.

        Raises:
            PartyError: we are the provider.
            UnknownStatementError: there is no such statement.
            ForkError: it was answered otherwise.
        """
        if contract.side is not Side.CONSUMER:
            raise PartyError(f"{contract.peer} is the consumer of the contract {contract.id}, and answers statements.")
        statement = Statement((await asyncio.to_thread(self.usages.get, contract.id, number)).document)
        before = (await asyncio.to_thread(self.usages.all, contract.id, ANSWER)).get(number)
        if before is not None and (before.document["accepted"], before.document["reason"]) == (accepted, reason):
            return
        time_of = format_time(datetime.now(UTC))
        document = statements.answer(self.cloud, statement, accepted=accepted, reason=reason, time=time_of)
        signed = statements.sign(document, self.keys, time.time())
        await asyncio.to_thread(self.usages.answer, document, signed, by, ours=True, now=int(time.time()))

    async def receive(self, text: str) -> dict[str, Any]:
        """Take a statement or an answer of a peer: hostile until its size, signature, form and sequence were checked.

        Raises:
            OpenStackoidError: it is none, or not the peer's to send.
        """
        sender = statements.sender(text)
        payload = statements.verify(text, await self.peers.keys(sender, tokens.key_id(text)))
        kind = payload.get("kind")
        check(payload, schema.PAYLOAD_ANSWER if kind == ANSWER else schema.PAYLOAD_STATEMENT)
        contract = await asyncio.to_thread(self.contracts.summary, payload["contract"])
        expected = Side.PROVIDER if kind == ANSWER else Side.CONSUMER
        if (sender, payload["aud"], contract.side) != (contract.peer, self.cloud, expected):
            raise PartyError(f"The contract {contract.id} is not with {sender[:64]}, or its other side sends this.")
        now = int(time.time())
        if kind == ANSWER:
            await asyncio.to_thread(self.usages.answer, payload, text, sender, ours=False, now=now)
        else:
            statement = Statement(payload)
            _check_lines(statement)
            _check_days(statement, contract)
            await asyncio.to_thread(self.usages.add, statement, text, sender, ours=False, now=now)
        return {"contract": contract.id, "acknowledged": payload["number"]}

    async def differences(
        self, contract: Summary, number: int, projects: Mapping[str, str] | None, seen: frozenset[str] | None
    ) -> list[dict[str, str]]:
        """Where a statement differs from what this side finds now.

        Args:
            contract: which.
            number: of the statement.
            projects: those of this cloud by the names that statements have for them; None at the provider.
            seen: of these, the ones with requests in the audit; None if there is no audit.
        """
        statement = Statement((await asyncio.to_thread(self.usages.get, contract.id, number)).document)
        lines = await self.lines(contract, statement.period)
        found = statements.differences(statement, lines, contract.terms)
        for project in sorted({line.project for line in statement.lines}):
            if projects is not None and project not in projects:
                found.append(Difference("project", project))
            elif seen is not None and project not in seen:
                found.append(Difference("requests", project, stated="some", own="none"))
        return [asdict(difference) for difference in found]

    async def send(self) -> None:
        """Send what is due."""
        due = await asyncio.to_thread(self.usages.due, int(time.time()))
        await asyncio.gather(*(self._send(one) for one in due))

    async def _send(self, due: Due) -> None:
        try:
            await self.peers.send(due.peer, due.signed)
        except OpenStackoidError:
            await asyncio.to_thread(self.usages.failed, due, int(time.time()))
            return
        await asyncio.to_thread(self.usages.sent, due)


def _check_days(statement: Statement, contract: Summary) -> None:
    """Check that a peer's statement is of days of the contract that are over: so there are no more of them than days.

    Raises:
        PeriodError: it is not.
    """
    period, tomorrow = statement.period, datetime.now(UTC) + timedelta(days=1)  # clocks may differ
    if period.over > tomorrow or period.over <= contract.terms.begins:
        raise PeriodError(f"Expected days of the contract that are over, got {period.first} to {period.end}.")


def _check_lines(statement: Statement) -> None:
    """Check that lines are of the statement's days, each once.

    Raises:
        PeriodError: they are not.
    """
    days = {day for day, _, _ in statement.period.days()}
    lines = statement.lines
    if not {line.day for line in lines} <= days or len({line.key for line in lines}) != len(lines):
        raise PeriodError(f"The statement {statement.number} has lines of other days, or one twice.")
