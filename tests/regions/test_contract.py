"""A contract's messages: what follows from what, and what is refused."""

from dataclasses import replace
from typing import Any

import pytest
from tests.regions.negotiating import TERMS, TIME, cause, pair, terms

from openstackoid.regions.errors import (
    ForkError,
    MessageError,
    PartyError,
    StaleTermsError,
    TermsError,
    TransitionError,
)
from openstackoid.regions.objects.contract import Contract
from openstackoid.regions.objects.states import ContractEvent as Event
from openstackoid.regions.objects.states import ContractState as State
from openstackoid.regions.objects.states import Side


def requested() -> tuple[Contract, Contract]:
    provider, consumer = pair()
    consumer, provider = cause(consumer, provider, Event.REQUEST, TERMS)
    return provider, consumer


def test_a_contract_from_its_request_to_its_end() -> None:
    provider, consumer = requested()
    provider, consumer = cause(provider, consumer, Event.COUNTER, terms(10))
    assert consumer.outcome.state is State.COUNTERED
    consumer, provider = cause(consumer, provider, Event.ACCEPT)
    states = []
    for event in (Event.PROVISION, Event.ACTIVATE, Event.SUSPEND, Event.RESUME):
        provider, consumer = cause(provider, consumer, event)
        states.append(consumer.outcome.state)
    assert states == [State.PROVISIONING, State.ACTIVE, State.SUSPENDED, State.ACTIVE]
    consumer, provider = cause(consumer, provider, Event.END)
    provider, consumer = cause(provider, consumer, Event.FINISH)
    assert provider.outcome == consumer.outcome
    assert provider.outcome.state is State.ENDED
    assert provider.outcome.terms == terms(10)
    assert not [step for step in provider.outcome.steps if step.void]


def test_only_the_side_that_answers_accepts_or_counters() -> None:
    _, consumer = requested()
    for event, given in ((Event.ACCEPT, None), (Event.COUNTER, terms(3))):
        with pytest.raises(PartyError, match="did not write the terms"):
            consumer.cause(event, TIME, given)
    with pytest.raises(PartyError, match="provider"):
        consumer.cause(Event.EXPIRE, TIME)


def test_a_counter_changes_the_terms_and_not_the_region() -> None:
    provider, _ = requested()
    with pytest.raises(TermsError, match="accept those"):
        provider.cause(Event.COUNTER, TIME, TERMS)
    with pytest.raises(TermsError, match="as in the request"):
        provider.cause(Event.COUNTER, TIME, replace(TERMS, virtual_region="cd" * 16))
    with pytest.raises(TermsError, match="expected terms"):
        provider.cause(Event.COUNTER, TIME)


def test_terms_that_the_operator_has_not_seen_are_not_accepted() -> None:
    provider, consumer = requested()
    provider, consumer = cause(provider, consumer, Event.COUNTER, terms(10))
    with pytest.raises(StaleTermsError):
        consumer.cause(Event.ACCEPT, TIME, TERMS)


def test_what_the_state_does_not_allow_is_refused_with_what_it_does() -> None:
    provider, _ = requested()
    with pytest.raises(TransitionError, match="expected counter, accept, reject, expire, got resume"):
        provider.cause(Event.RESUME, TIME)


def test_an_event_that_crosses_another_on_the_way_is_void_on_both_sides() -> None:
    provider, consumer = requested()
    provider, consumer = cause(provider, consumer, Event.COUNTER, terms(10))
    accepted, rejected = consumer.cause(Event.ACCEPT, TIME), provider.cause(Event.REJECT, TIME)
    assert accepted.outcome.state is State.AGREED  # until it hears of the other
    provider, consumer = rejected.receive(accepted.ours[-1]), accepted.receive(rejected.ours[-1])
    assert provider.outcome == consumer.outcome
    assert provider.outcome.state is State.REJECTED
    assert "rejected" in (provider.outcome.steps[-1].void or "")


def test_a_provider_that_suspends_keeps_that_when_the_consumer_ends_at_the_same_time() -> None:
    provider, consumer = requested()
    provider, consumer = cause(provider, consumer, Event.ACCEPT)
    provider, consumer = cause(provider, consumer, Event.PROVISION)
    provider, consumer = cause(provider, consumer, Event.ACTIVATE)
    suspended, ended = provider.cause(Event.SUSPEND, TIME), consumer.cause(Event.END, TIME)
    provider, consumer = suspended.receive(ended.ours[-1]), ended.receive(suspended.ours[-1])
    assert provider.outcome == consumer.outcome
    assert [step.message.event for step in provider.outcome.steps[-2:]] == [Event.SUSPEND, Event.END]


def test_what_a_hostile_side_may_not_cause_is_on_record_and_void() -> None:
    provider, consumer = requested()
    forged = replace(consumer.ours[0], number=2, previous=consumer.ours[0].digest, event=Event.ACTIVATE, terms=None)
    provider = provider.receive(forged)
    assert provider.outcome.state is State.REQUESTED
    assert provider.outcome.steps[-1].void
    accept = replace(forged, event=Event.ACCEPT, terms_digest=TERMS.digest, number=3, previous=forged.digest)
    assert provider.receive(accept).outcome.state is State.REQUESTED  # its own terms


def test_messages_that_do_not_follow_are_refused() -> None:
    provider, consumer = requested()
    first = consumer.ours[0]
    assert provider.receive(first) is provider
    with pytest.raises(ForkError, match="two different messages"):
        provider.receive(replace(first, reason="another"))
    second = consumer.cause(Event.REJECT, TIME).ours[-1]
    with pytest.raises(ForkError, match="another message before it"):
        provider.receive(replace(second, previous="0" * 64))
    with pytest.raises(MessageError, match="seen"):
        provider.receive(replace(second, seen=1))
    with pytest.raises(MessageError, match="number"):
        provider.receive(replace(second, number=0))
    with pytest.raises(MessageError, match="terms"):
        provider.receive(replace(second, terms=TERMS))
    assert provider.receive(replace(second, number=3)) is provider  # the second has to come first


def test_nobody_has_seen_what_comes_after_it() -> None:
    provider, consumer = requested()
    provider, consumer = cause(provider, consumer, Event.COUNTER, terms(10))
    late = consumer.cause(Event.REJECT, TIME)  # has seen the counter
    lying = replace(provider.ours[0], seen=2)
    with pytest.raises(MessageError, match="had seen number 1 already"):
        replace(late, theirs=()).receive(lying)


@pytest.mark.parametrize("changed", [{"contract": "1f" * 16}, {"sender": "CloudX"}, {"recipient": "CloudX"}])
def test_messages_of_other_contracts_and_clouds_are_refused(changed: dict[str, Any]) -> None:
    provider, consumer = requested()
    with pytest.raises(MessageError, match="Expected a message of CloudA to CloudP"):
        provider.receive(replace(consumer.ours[0], **changed))
    assert provider.side is Side.PROVIDER
