"""kill -9 of either control plane at every transition of a contract's whole life: after its restart both agree, and nothing is left.

Who causes an event is killed as soon as the event is answered: it is on record, and its message may have gone or not. Who receives it is killed before:
the message waits. The provider sets up and cleans up by itself, and is killed in these, too.
"""

import secrets
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.regions.deals import Deal, event
from tests.regions.planes import Plane, in_state, offered, terms, two_planes
from tests.volume import FULL

if TYPE_CHECKING:
    from tests.trust.servers import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")
# (Who causes it, event, state after it and after what follows from it).
LIFE = (
    ("provider", "accept", "active"),
    ("provider", "suspend", "suspended"),
    ("provider", "resume", "active"),
    ("consumer", "end", "ended"),
)


# The provider causes all events but the last one, so its kills are those of the sender and, at the end, those of the recipient. In one life by
# `make test-full`.
WHO = ("sender", "recipient", *(("provider",) if FULL else ()))
# All on SQLite; on each other database one of those whose kill leaves a message on its way, in one transition. All on all by `make test-full`.
CASES = [("sqlite", who) for who in WHO] + (
    [(kind, who) for kind in ("postgresql", "mariadb") for who in WHO]
    if FULL
    else [("postgresql", "sender"), ("mariadb", "recipient")]
)


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest) -> Callable[[str], str | None]:
    """Gives each cloud an empty database."""
    if request.param == "sqlite":
        return lambda _cloud: None
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return lambda _cloud: server.database()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def planes(
    tmp_path_factory: pytest.TempPathFactory, database: Callable[[str], str | None]
) -> AsyncIterator[tuple[Plane, Plane]]:
    async with two_planes(tmp_path_factory.mktemp("planes"), database, accounts=("manager", "admin")) as pair:
        yield pair


async def restart(plane: Plane) -> None:
    plane.start()
    await plane.ready()


@pytest.mark.parametrize(("database", "killed"), CASES, indirect=["database"])
async def test_both_agree_after_every_transition(
    planes: tuple[Plane, Plane], killed: str, request: pytest.FixtureRequest
) -> None:
    whole = FULL or request.node.callspec.params["database"] == "sqlite"
    deal = Deal(*planes, secrets.token_hex(16))
    deal.cloud.add_domain(deal.domain)
    sides = {"provider": deal.provider, "consumer": deal.consumer}
    region = await offered(deal.provider, name=f"r-{deal.domain[:8]}", domain_id=deal.domain)
    document = terms(region, **{"from": "2020-01-01T00:00:00Z", "grace_days": 0})
    asked = {"provider": "CloudP", "terms": document}
    status, made = await deal.consumer.call("POST", "/v1/contracts", asked)
    assert status == 201, made
    deal.contract = made["id"]
    await in_state(deal.provider, deal.contract, "requested")
    local = ""
    for side, name, state in LIFE:
        sender = sides[side]
        recipient = next(plane for plane in planes if plane is not sender)
        victim = {"sender": sender, "recipient": recipient, "provider": deal.provider}[killed]
        dies = whole or name == "end"
        if dies and victim is not sender:
            victim.kill()
        await event(sender, deal.contract, name)
        if dies and victim is sender:
            victim.kill()
        if dies:
            await restart(victim)
        for plane in planes:
            await in_state(plane, deal.contract, state)
        if name == "accept":
            local = deal.sub_project()
    assert (await deal.cleaned())["left"] == []
    assert (deal.projects(), deal.cloud.of(local)) == (set(), {})
    histories = [(await plane.call("GET", f"/v1/contracts/{deal.contract}"))[1]["history"] for plane in planes]
    assert histories[0] == histories[1]
    events = [step["event"] for step in histories[0] if not step["void"]]
    assert events == ["request", "accept", "provision", "activate", "suspend", "resume", "end", "finish"]
