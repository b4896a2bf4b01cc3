"""A contract as the messages of both sides, and what these come to. Pure.

Each side keeps both logs: its own messages and those that it has received. The state is a function of the two logs (`settle`), so two copies with
the same logs have the same state, whatever was lost, repeated or delayed on the way.

**Order.** The provider's messages say how many of the consumer's came before them (`seen`); the consumer's that no provider's message has seen come
last. This is the order in which the provider processed them, so the provider's view never changes backwards; the consumer's may, by messages that were on
their way when it caused an event of its own. An event that its place in this order does not allow is **void**: kept on record, without effect.

    provider   p1 counter (seen 1) ............ p2 reject (seen 1)
    consumer   a1 request      a2 accept (seen 1), sent before p2 arrived
    order      a1, p1, p2, a2: rejected, and a2 is void on both sides
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from openstackoid.regions.errors import (
    ForkError,
    MessageError,
    PartyError,
    StaleTermsError,
    TermsError,
    TransitionError,
)
from openstackoid.regions.objects.message import WITH_TERMS, Message
from openstackoid.regions.objects.states import CONTRACT, ContractEvent, ContractState, Side, events, find, may
from openstackoid.regions.objects.terms import Terms

MOST_MESSAGES: Final = 4096  # of one side, for one contract


@dataclass(frozen=True, slots=True)
class Step:
    """A message at its place in the order.

    Attributes:
        side: who sent it.
        message: as it was signed.
        state: the contract's, after it.
        void: why it has no effect there; None if it has.
    """

    side: Side
    message: Message
    state: ContractState | None
    void: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What two logs come to.

    Attributes:
        state: None before a valid request.
        terms: those on the table, or agreed.
        author: who wrote them.
        steps: every message in order.
    """

    state: ContractState | None = None
    terms: Terms | None = None
    author: Side | None = None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """One side's copy.

    Attributes:
        id: 32 hex digits, chosen by the consumer.
        side: ours.
        us, peer: names of the two clouds.
        ours: our messages, by number.
        theirs: the peer's, by number, as far as they have come.
    """

    id: str
    side: Side
    us: str
    peer: str
    ours: tuple[Message, ...] = ()
    theirs: tuple[Message, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """What the messages come to."""
        logs = {self.side: self.ours, self.side.other: self.theirs}
        return settle(logs[Side.PROVIDER], logs[Side.CONSUMER])

    def cause(self, event: ContractEvent, time: str, terms: Terms | None = None, reason: str = "") -> "Contract":
        """Add a message of ours, which is then to be stored and sent.

        Args:
            event: what shall happen.
            time: now (`terms.format_time`).
            terms: of `request` and `counter`; for `accept` the terms that the operator has seen, or None for those on the table.
            reason: for people.

        Raises:
            TransitionError: the state does not allow it.
            PartyError: it is the other side's to cause.
            StaleTermsError: other terms than those that the operator has seen are on the table.
            TermsError: terms are missing, or those on the table again, or of another virtual region.
        """
        outcome = self.outcome
        accepted = terms or outcome.terms if event is ContractEvent.ACCEPT else None
        message = Message(
            self.us,
            self.peer,
            self.id,
            len(self.ours) + 1,
            len(self.theirs),
            self.ours[-1].digest if self.ours else "",
            event,
            time,
            terms if event in WITH_TERMS else None,
            accepted.digest if accepted else None,
            reason,
        )
        if len(self.ours) >= MOST_MESSAGES:
            raise TransitionError(f"The contract {self.id} has {MOST_MESSAGES} messages of ours: no more can follow.")
        _check(outcome, self.side, message)
        return replace(self, ours=(*self.ours, message))

    def receive(self, message: Message) -> "Contract":
        """Take a message of the peer whose signature was verified; the same one twice changes nothing.

        Returns:
            The contract with the message; unchanged if messages before it are missing: the peer sends those first.

        Raises:
            MessageError: it does not follow from the peer's messages before it, or from ours.
            ForkError: the peer had signed another one under its number.
        """
        if (message.sender, message.recipient, message.contract) != (self.peer, self.us, self.id):
            raise MessageError(f"Expected a message of {self.peer} to {self.us} about the contract {self.id}.")
        if not 0 < message.number <= MOST_MESSAGES:
            raise MessageError(f"Expected a number from 1 to {MOST_MESSAGES}, got {message.number}.")
        if message.number <= len(self.theirs):
            if self.theirs[message.number - 1] != message:
                raise ForkError(
                    f"{self.peer} signed two different messages {message.number} of the contract {self.id}."
                )
            return self
        if message.number > len(self.theirs) + 1:
            return self
        previous = self.theirs[-1] if self.theirs else None
        if message.previous != (previous.digest if previous else ""):
            raise ForkError(
                f"Message {message.number} of {self.peer} names another message before it than the one here."
            )
        least = previous.seen if previous else 0
        if not least <= message.seen <= len(self.ours):
            raise MessageError(f"Expected seen from {least} to {len(self.ours)}, got {message.seen}.")
        # Who says to have seen a message before what that message had seen turns time around.
        if message.seen and self.ours[message.seen - 1].seen >= message.number:
            raise MessageError(f"Message {message.seen} of {self.us} had seen number {message.number} already.")
        if (message.terms is not None) is not (message.event in WITH_TERMS):
            raise MessageError(f"Expected terms with {' and '.join(sorted(WITH_TERMS))}, and with nothing else.")
        return replace(self, theirs=(*self.theirs, message))


def settle(provider: Sequence[Message], consumer: Sequence[Message]) -> Outcome:
    """What the messages of both sides come to, each side's by number."""
    outcome, done = Outcome(), 0
    for message in provider:
        for earlier in consumer[done : message.seen]:
            outcome = _step(outcome, Side.CONSUMER, earlier)
        done = max(done, message.seen)
        outcome = _step(outcome, Side.PROVIDER, message)
    for message in consumer[done:]:
        outcome = _step(outcome, Side.CONSUMER, message)
    return outcome


def _step(before: Outcome, side: Side, message: Message) -> Outcome:
    try:
        state = _check(before, side, message)
    except (TransitionError, PartyError, StaleTermsError, TermsError) as error:
        return replace(before, steps=(*before.steps, Step(side, message, before.state, str(error))))
    steps = (*before.steps, Step(side, message, state))
    if message.event in WITH_TERMS:
        return Outcome(state, message.terms, side, steps)
    return replace(before, state=state, steps=steps)


def _check(outcome: Outcome, side: Side, message: Message) -> ContractState:
    """The state after a message.

    Raises:
        TransitionError, PartyError, StaleTermsError, TermsError: see `Contract.cause`.
    """
    row = find(CONTRACT, outcome.state, message.event)
    if row is None:
        allowed = ", ".join(events(CONTRACT, outcome.state)) or "nothing any more"
        raise TransitionError(
            f"The contract is {outcome.state or 'not there yet'}: expected {allowed}, got {message.event}."
        )
    if not may(row, side, outcome.author):
        raise PartyError(f"In the state {outcome.state or 'before a request'}, {message.event} is for {row.who}.")
    if message.event in WITH_TERMS:
        if message.terms is None:
            raise TermsError("$.terms", f"expected terms with {message.event}")
        if outcome.terms and message.terms.virtual_region != outcome.terms.virtual_region:
            raise TermsError("$.terms.virtual_region", f"expected {outcome.terms.virtual_region}, as in the request")
        if message.terms == outcome.terms:
            raise TermsError("$.terms", "expected other terms than those on the table: accept those instead")
    if row.both and (outcome.terms is None or message.terms_digest != outcome.terms.digest):
        raise StaleTermsError("Other terms are on the table than those that were accepted: look at them again.")
    return ContractState(row.next)
