"""Requests federated tokens from a user's home cloud (RFC 8693), and caches them: for third clouds, and for users who came with their own tokens."""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import aiohttp

from openstackoid.core import limits, protocol
from openstackoid.core.errors import (
    ExchangeError,
    PeerAnswerError,
    PeerTimeoutError,
    PeerUnreachableError,
    RateError,
    TokenError,
)
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.memory import MIB, Memory, digest
from openstackoid.gateway.federation.shared_tasks import SharedTasks
from openstackoid.gateway.upstream.documents import parsed, whole
from openstackoid.gateway.upstream.failures import reason
from openstackoid.trust import tokens
from openstackoid.trust.claims import Claims
from openstackoid.trust.contracts import ContractGrant

GRANT: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
# The nearest registered type: our tokens have a JWT's claims, compressed.
JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
ACCESS: Final = "urn:ietf:params:oauth:token-type:access_token"
_ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_BYTES: Final = 16 * MIB  # of tokens that are remembered
# Questions at a time to one home about tokens for which it has not vouched here: at a frontend anybody may send any text as a token.
MAX_UNKNOWN: Final = 64
_LIMIT: Final = aiohttp.ClientTimeout(total=15)
_OK: Final = 200
_INVALID: Final = 401


class TokenExchange:
    """The client of token exchange; the server is `api.token_exchange`.

    Args:
        agreements: with the users' homes.
        session: connections to them.
        recheck: seconds for which the home's answer about a user's own token counts.
    """

    def __init__(self, agreements: Agreements, session: aiohttp.ClientSession, recheck: float) -> None:
        self._agreements = agreements
        self._session = session
        self._recheck = recheck
        # (Digest of a foreign token, the third cloud or the contract) -> until when the token is used, the token, and the generation.
        self._exchanged: Memory[tuple[bytes, str], tuple[float, str, object]] = Memory(
            _MAX_BYTES, lambda known: len(known[1])
        )
        self._asking: SharedTasks[tuple[bytes, str, object], str] = SharedTasks()
        self._unknown: Counter[str] = Counter()  # home -> questions under way about tokens that are unknown

    async def token_for(self, third: str, token: str, claims: Claims) -> str:
        """A token for a third cloud.

        Args:
            third: name of the cloud that the token is for.
            token: that the user's home issued for this cloud.
            claims: of that token, verified.

        Raises:
            PeerError: the home cloud does not answer.
            ExchangeError: the home cloud refuses, with its reason.
        """
        key, now, generation = (digest(token), third), time.time(), self._agreements.generations.of(claims.issuer)
        renew, known, of = self._exchanged.get(key, (0.0, "", None))
        if now < renew and of == generation:
            return known
        form = {"subject_token": token, "subject_token_type": JWT, "audience": third}
        made, life = await self._ask(claims.issuer, third, form)
        self._exchanged.keep(key, (now + life / 2, made, generation))
        return made

    async def under_contract(self, contract: ContractGrant, token: str, here: str, *, by_home: bool) -> str:
        """A federated token for this cloud, under a contract, for a user who came with a token of the home's Keystone.

        Args:
            contract: with the user's home; users' own tokens cross under it.
            token: the user's own.
            here: name of this cloud.
            by_home: whether the home's own gateway brought the token, so that no bound is needed.

        Raises:
            PeerError: the home cloud does not answer.
            TokenError: the home cloud does not accept the user's token: the user logs in again.
            ExchangeError: it refuses for another reason, which is told.
            RateError: it is being asked about too many tokens for which it has not vouched here.
        """
        home = contract.peer
        key, now, generation = (digest(token), contract.id), time.time(), self._agreements.generations.of(home)
        renew, known, of = self._exchanged.get(key, (0.0, "", None))
        if now < renew and of == generation:
            return known

        async def question() -> str:
            bounded = not (known or by_home)
            if bounded and self._unknown[home] >= MAX_UNKNOWN:
                raise RateError(
                    f"{here} asks {home} about {MAX_UNKNOWN} tokens already that it does not know. Try again in a second."
                )
            self._unknown[home] += bounded
            try:
                form = {"subject_token": token, "subject_token_type": ACCESS, "audience": here, "contract": contract.id}
                made, life = await self._ask(home, here, form)
            except TokenError:
                self._exchanged.pop(key, None)
                raise
            finally:
                self._unknown[home] -= bounded
            self._exchanged.keep(key, (now + min(self._recheck, life / 2), made, generation))
            return made

        # All waiters share one question, which goes on when they are gone: nobody asks more by breaking off.
        return await self._asking.run((*key, generation), question)

    async def _ask(self, home: str, audience: str, asked: Mapping[str, str]) -> tuple[str, float]:
        """A token of the home cloud's, and for how many seconds it is valid at least."""
        url = self._agreements.active_agreement(home).url + protocol.EXCHANGE_PATH
        form = {
            **asked,
            "grant_type": GRANT,
            "client_assertion_type": _ASSERTION,
            "client_assertion": self._agreements.assertions.assertion_for(home),
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            async with self._session.post(
                url, data=urlencode(form), headers=headers, timeout=_LIMIT, allow_redirects=False
            ) as answer:
                document = parsed(await whole(answer.content, limits.EXCHANGE), limits.EXCHANGE)
        except TimeoutError:
            raise PeerTimeoutError(
                f"{home}, the user's own cloud, did not answer when asked for a token for {audience}."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise PeerUnreachableError(
                f"{home}, the user's own cloud, cannot be asked for a token for {audience}: {reason(error)}."
            ) from None
        except ValueError as error:
            raise PeerAnswerError(f"{home} answered a token exchange in another form: {error}.") from None
        given = document if isinstance(document, dict) else {}
        if answer.status != _OK or not isinstance(given.get("access_token"), str):
            refused = given.get("error")
            why = str(refused.get("message"))[:500] if isinstance(refused, dict) else f"status {answer.status}"
            if answer.status == _INVALID and asked["subject_token_type"] == ACCESS:
                raise TokenError(f"{home}, the user's own cloud, does not accept the token: {why}")
            raise ExchangeError(f"{home}, the user's own cloud, gives no token for {audience}: {why}")
        life, made = given.get("expires_in"), str(given["access_token"])
        # With a mark it would count as one that a service of this cloud passes on, beyond all rules.
        if len(made) > tokens.LONGEST or not made.isascii() or not made.isprintable() or tokens.MARK in made:
            raise PeerAnswerError(
                f"{home} answered a token exchange with what is no token of {tokens.LONGEST} characters at most."
            )
        return made, min(life, tokens.LONGEST_LIFE) if isinstance(life, int) else 0
