"""Two real control planes that negotiate, over a door that loses and repeats, and killed at each transition on either side."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.regions.door import MANAGER
from tests.regions.planes import Plane, in_state, offered, terms, two_planes, until

Pair = tuple[Plane, Plane]


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    async with two_planes(tmp_path) as planes:
        yield planes


async def request(consumer: Plane, region: str, **changed: Any) -> str:
    status, made = await consumer.call(
        "POST", "/v1/contracts", {"provider": "CloudP", "terms": terms(region, **changed)}, MANAGER
    )
    assert (status, made["state"], made["side"]) == (201, "requested", "consumer"), made
    return str(made["id"])


async def cause(plane: Plane, contract: str, event: str, **rest: Any) -> None:
    status, found = await plane.call("POST", f"/v1/contracts/{contract}/events", {"event": event, **rest})
    assert status == 200, found


async def test_offers_are_found_and_a_contract_is_negotiated_over_a_bad_network(pair: Pair) -> None:
    provider, consumer = pair
    region = await offered(provider)
    status, found = await consumer.call("GET", "/v1/offers?provider=CloudP")
    assert (status, [each["name"] for each in found["offers"]]) == (200, ["north"])
    assert "d" * 32 not in str(found)
    provider.door.lose, provider.door.forget, provider.door.twice = 2, 2, True
    consumer.door.lose, consumer.door.forget, consumer.door.twice = 1, 1, True
    contract = await request(consumer, region)
    await in_state(provider, contract, "requested")
    await cause(provider, contract, "counter", terms=terms(region, grace_days=5), reason="five days")
    shown = await in_state(consumer, contract, "countered")
    assert (shown["terms"]["grace_days"], shown["terms_by"]) == (5, "provider")
    assert "accept" in shown["allowed"]
    await cause(consumer, contract, "accept", terms=shown["terms"])
    await in_state(provider, contract, "agreed")
    for event, state in (("provision", "provisioning"), ("activate", "active"), ("suspend", "suspended")):
        await cause(provider, contract, event)
        await in_state(consumer, contract, state)
    await cause(consumer, contract, "end")
    ending = await in_state(provider, contract, "ending")
    await cause(provider, contract, "finish")
    ended = await in_state(consumer, contract, "ended")
    assert ended["history"][:-1] == ending["history"]
    assert not [step for step in ended["history"] if step["void"]]
    assert (await provider.call("DELETE", f"/v1/virtual-regions/{region}"))[0] == 409  # offered
    assert (await provider.call("GET", f"/v1/virtual-regions/{region}"))[1]["contracts"] == 0


async def test_what_is_not_offered_is_rejected_and_what_nobody_answers_expires(pair: Pair) -> None:
    provider, consumer = pair
    unknown = await request(consumer, "ab" * 16)
    assert "no such virtual region" in (await in_state(consumer, unknown, "rejected"))["history"][-1]["reason"]
    region = await offered(provider)
    late = await request(consumer, region, answer_by="2020-01-01T00:00:00Z")
    await in_state(consumer, late, "expired")


async def test_a_peer_whose_agreement_is_suspended_is_not_heard_and_its_messages_come_later(pair: Pair) -> None:
    provider, consumer = pair
    region = await offered(provider)
    provider.forget(consumer)
    assert (await consumer.call("GET", "/v1/offers?provider=CloudP"))[0] == 502
    contract = await request(consumer, region)

    async def refused() -> bool:
        found = (await consumer.call("GET", f"/v1/contracts/{contract}"))[1]
        return "no agreement" in found["sending_error"]

    await until(refused)
    assert (await provider.call("GET", f"/v1/contracts/{contract}"))[0] == 404
    provider.know_again(consumer)
    await in_state(provider, contract, "requested")


# Event by event: who causes it, and the state after it.
_LIFE = (
    ("counter", "provider", "countered"),
    ("accept", "consumer", "agreed"),
    ("provision", "provider", "provisioning"),
    ("activate", "provider", "active"),
    ("suspend", "provider", "suspended"),
    ("resume", "provider", "active"),
    ("end", "consumer", "ending"),
    ("finish", "provider", "ended"),
)


@pytest.mark.parametrize("killed", ["provider", "consumer"])
async def test_a_side_that_is_killed_at_each_transition_comes_to_the_same_state(pair: Pair, killed: str) -> None:
    planes = {"provider": pair[0], "consumer": pair[1]}
    victim = planes[killed]
    region = await offered(pair[0])
    contract = await kill_during(victim, 0.005, request(pair[1], region))
    if contract is None:  # killed before it had answered: perhaps it is kept, perhaps not
        kept = (await pair[1].call("GET", "/v1/contracts"))[1]["contracts"]
        contract = kept[0]["id"] if kept else await request(pair[1], region)
    await in_state(pair[0], contract, "requested")
    for number, (event, by, state) in enumerate(_LIFE):
        rest = {"terms": terms(region, grace_days=5)} if event == "counter" else {}
        # At another moment each time: before it is stored, between storing and sending, while the other side answers.
        delay = (0.0, 0.004, 0.015, 0.05)[number % 4]
        done = await kill_during(victim, delay, cause(planes[by], contract, event, **rest))
        if done is None:
            found = (await planes[by].call("GET", f"/v1/contracts/{contract}"))[1]
            if found["state"] != state:
                await cause(planes[by], contract, event, **rest)
        shown = [await in_state(plane, contract, state) for plane in planes.values()]
        assert shown[0]["history"] == shown[1]["history"]
    assert [step["event"] for step in shown[0]["history"]] == ["request", *(event for event, _, _ in _LIFE)]


async def kill_during(victim: Plane, delay: float, work: Any) -> Any:
    """Do something, kill a side meanwhile, start it again; what came of it, None if that is not known."""

    async def kill() -> None:
        await asyncio.sleep(delay)
        await asyncio.to_thread(victim.kill)
        victim.start()

    done: Any = (await asyncio.gather(work, kill(), return_exceptions=True))[0]
    await victim.ready()
    if isinstance(done, aiohttp.ClientError):
        return None
    if isinstance(done, BaseException):
        raise done
    return True if done is None else done
