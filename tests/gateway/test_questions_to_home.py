"""The questions of a provider's gateway to a user's home about users' own tokens: how many there are, and what may be answered."""

import asyncio
import secrets
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qs

import aiohttp
import pytest
from tests.gateway.wire import Seen, Upstream, reply

from openstackoid.core.errors import PeerAnswerError, RateError, TokenError
from openstackoid.gateway.federation import token_exchange
from openstackoid.gateway.federation.token_exchange import TokenExchange
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant

CONTRACT = ContractGrant(secrets.token_hex(16), "Home", ContractSide.PROVIDER, GrantState.ACTIVE, Grant())
MADE = "eyJ.made.signature"


class Home:
    """A home whose answers wait until it is `open`."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.made = MADE
        self.upstream = Upstream(self._answer)
        self.asked: list[str] = []

    def _answer(self, seen: Seen, _: socket.socket) -> bytes:
        token = parse_qs(seen.raw.decode())["subject_token"][0]
        self.asked.append(token)
        assert self.open.wait(60)
        if token.startswith("wrong"):
            return reply(401, {"error": {"message": "not valid"}})
        return reply(200, {"access_token": self.made, "expires_in": 600})


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    made = Home()
    yield made
    made.open.set()
    made.upstream.close()


@pytest.fixture
async def exchange(home: Home) -> AsyncIterator[TokenExchange]:
    agreements = SimpleNamespace(
        generations=SimpleNamespace(of=lambda _: 0),
        active_agreement=lambda _: SimpleNamespace(url=home.upstream.url),
        assertions=SimpleNamespace(assertion_for=lambda _: "assertion"),
    )
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield TokenExchange(cast("Any", agreements), session, recheck=0)


def question(exchange: TokenExchange, token: str, *, by_home: bool = False) -> "asyncio.Task[str]":
    return asyncio.create_task(exchange.under_contract(CONTRACT, token, "Provider", by_home=by_home))


async def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def test_unknown_tokens_at_frontends_cause_few_questions_at_a_time(
    home: Home, exchange: TokenExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_exchange, "MAX_UNKNOWN", 3)
    assert await question(exchange, "known") == MADE
    home.open.clear()
    flood = [question(exchange, f"wrong-{number}") for number in range(3)]
    await until(lambda: len(home.asked) == 4)
    flood[0].cancel()  # who breaks off gets no other question for it
    with pytest.raises(RateError, match="Provider asks Home"):
        await question(exchange, "wrong-more")
    # Neither users who are at work nor those whom the home itself sends are kept waiting.
    others = [question(exchange, "known"), question(exchange, "unknown", by_home=True)]
    await until(lambda: set(home.asked[4:]) == {"known", "unknown"})
    home.open.set()
    assert await asyncio.gather(*others) == [MADE, MADE]
    for refused in flood[1:]:
        with pytest.raises(TokenError):
            await refused
    assert await question(exchange, "later") == MADE


async def test_many_requests_with_one_token_are_one_question(home: Home, exchange: TokenExchange) -> None:
    home.open.clear()
    asked = [question(exchange, "mine") for _ in range(100)]
    await until(lambda: bool(home.asked))
    home.open.set()
    assert set(await asyncio.gather(*asked)) == {MADE}
    assert home.asked == ["mine"]


async def test_no_answer_counts_as_one_of_our_own_services(home: Home, exchange: TokenExchange) -> None:
    """A token with the inner mark passes by the rules."""
    home.made = f"{MADE}~{'m' * 22}"
    with pytest.raises(PeerAnswerError):
        await question(exchange, "mine")
