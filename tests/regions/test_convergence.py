"""Two copies of a contract over a bad network, with processes that are killed: in the end both have the same state.

The network loses, repeats, delays, reorders and alters messages, and replays those of an older contract. A side that is killed has what it had
stored, and nothing else. What is stored in one step here is one transaction in the tables.
"""

import json
import time
from dataclasses import replace
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from tests.regions.negotiating import TERMS, TIME, pair, terms
from tests.volume import volume

from openstackoid.core.errors import TrustError
from openstackoid.regions.errors import RegionsError
from openstackoid.regions.objects import message as messages
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.message import WITH_TERMS, Message
from openstackoid.regions.objects.states import ContractEvent, Side
from openstackoid.trust.keys import Keys, fresh_keys
from openstackoid.trust.rings import Ring

NOW: Final = int(time.time())
KEYS: Final = {side: fresh_keys(NOW) for side in Side}
_SIDES: Final = st.sampled_from(Side)


def public(keys: Keys) -> dict[str, object]:
    return Ring(keys.published(NOW), keys.fingerprint).keys


PUBLIC: Final = {side: public(KEYS[side]) for side in Side}


class Negotiation(RuleBasedStateMachine):
    """What may happen to a contract and its messages."""

    def __init__(self) -> None:
        super().__init__()
        provider, consumer = pair()
        self.stored = {Side.PROVIDER: provider, Side.CONSUMER: consumer}
        self.acknowledged = dict.fromkeys(Side, 0)
        self.wire: list[tuple[Side, str]] = []  # (to, text)
        self.old: list[tuple[Side, str]] = []
        self.provider_history: tuple[object, ...] = ()

    @initialize()
    def an_older_contract(self) -> None:
        """Whose messages were recorded by somebody on the way."""
        provider, consumer = (replace(side, id="ee" * 16) for side in pair())
        consumer = consumer.cause(ContractEvent.REQUEST, TIME, TERMS)
        provider = provider.receive(consumer.ours[0]).cause(ContractEvent.ACCEPT, TIME)
        self.old = [
            (Side.PROVIDER, messages.sign(consumer.ours[0], KEYS[Side.CONSUMER], NOW)),
            (Side.CONSUMER, messages.sign(provider.ours[0], KEYS[Side.PROVIDER], NOW)),
        ]

    @rule(side=_SIDES, event=st.sampled_from(ContractEvent), cores=st.integers(1, 5))
    def cause(self, side: Side, event: ContractEvent, cores: int) -> None:
        """An operator does something; it is stored, and perhaps never sent: a kill after the transaction."""
        try:
            self.stored[side] = self.stored[side].cause(event, TIME, terms(cores) if event in WITH_TERMS else None)
        except RegionsError:
            return

    @rule(side=_SIDES)
    def send(self, side: Side) -> None:
        """Everything that is not acknowledged goes out once more."""
        for message in self.stored[side].ours[self.acknowledged[side] :]:
            self.wire.append((side.other, messages.sign(message, KEYS[side], NOW)))

    @rule(data=st.data(), kept=st.booleans(), answered=st.booleans())
    def deliver(self, data: st.DataObject, *, kept: bool, answered: bool) -> None:
        """Any message of the wire arrives; perhaps it stays there to arrive again, perhaps the acknowledgement is lost."""
        if self.wire:
            index = data.draw(st.integers(0, len(self.wire) - 1))
            to, text = self.wire[index] if kept else self.wire.pop(index)
            acknowledged = self.arrives(to, text)
            if answered:
                self.acknowledged[to.other] = max(self.acknowledged[to.other], acknowledged)

    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """A message is lost."""
        if self.wire:
            self.wire.pop(data.draw(st.integers(0, len(self.wire) - 1)))

    @rule(data=st.data(), replacement=st.sampled_from(["A", "z", "0"]))
    def alter(self, data: st.DataObject, replacement: str) -> None:
        """A message arrives with another character."""
        if self.wire:
            to, text = data.draw(st.sampled_from(self.wire))
            index = data.draw(st.integers(0, len(text) - 1))
            altered = text[:index] + replacement + text[index + 1 :]
            if altered != text:
                before = self.stored[to]
                try:
                    self.arrives(to, altered)
                except TrustError:
                    pass
                else:
                    raise AssertionError("an altered message was taken")
                assert self.stored[to] is before

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """A message of the older contract arrives."""
        to, text = data.draw(st.sampled_from(self.old))
        before = self.stored[to]
        try:
            self.arrives(to, text)
        except RegionsError:
            assert self.stored[to] is before
        else:
            raise AssertionError("a message of another contract was taken")

    @invariant()
    def the_provider_never_takes_back(self) -> None:
        """Its view only grows: what it has done in a state, it has done rightly."""
        steps = self.stored[Side.PROVIDER].outcome.steps
        assert steps[: len(self.provider_history)] == self.provider_history
        self.provider_history = steps

    def arrives(self, to: Side, text: str) -> int:
        """What a side does with a text; the number up to which it has the sender's messages now."""
        payload = json.loads(json.dumps(messages.verify(text, PUBLIC[to.other])))
        self.stored[to] = self.stored[to].receive(Message.from_json(payload))
        return len(self.stored[to].theirs)

    def teardown(self) -> None:
        """The network works again, and both run: each sends until everything is acknowledged."""
        for side in Side:
            for message in self.stored[side].ours[self.acknowledged[side] :]:
                text = messages.sign(message, KEYS[side], NOW)
                self.acknowledged[side] = self.arrives(side.other, text)
        provider, consumer = self.stored[Side.PROVIDER], self.stored[Side.CONSUMER]
        assert provider.outcome == consumer.outcome
        assert (provider.ours, provider.theirs) == (consumer.theirs, consumer.ours)
        agreed = [
            step for step in provider.outcome.steps if step.message.event is ContractEvent.ACCEPT and not step.void
        ]
        assert len(agreed) <= 1
        for step in agreed:
            assert step.message.terms_digest == (provider.outcome.terms or TERMS).digest
        assert_signed_by_both(provider, agreed=bool(agreed))


def assert_signed_by_both(contract: Contract, *, agreed: bool) -> None:
    """No contract is in a state with duties unless one side signed its terms and the other one their digest."""
    outcome = contract.outcome
    if outcome.state not in {None, "requested", "countered", "rejected", "expired"}:
        assert agreed
        accept = next(step for step in outcome.steps if step.message.event is ContractEvent.ACCEPT and not step.void)
        assert outcome.author is accept.side.other


def test_both_sides_end_in_the_same_state() -> None:
    run_state_machine_as_test(
        Negotiation, settings=settings(max_examples=volume(150), stateful_step_count=40, deadline=None)
    )
