"""A short-lived cache of the credentials that Keystone has validated or refused; protects Keystone from floods of wrong ones.

For each credential there is at most one request at a time. The cache is bounded in time (a token's revocation takes effect after `remember` seconds, and
its expiry at once) and in number. A sender of too many wrong credentials has to wait; credentials in the cache are still accepted.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from openstackoid.oaktree import errors
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.upstream.clouds import Clouds
from openstackoid.oaktree.upstream.credentials import Credential, UnauthenticatedError
from openstackoid.oaktree.upstream.tokens import Keystone, Login, login

# Maximum number of cached entries, of requests in progress, and of requests in progress to one cloud.
_MOST: Final = 20_000
_MOST_ASKED: Final = 1_000
_ASKED_OF_ONE: Final = 8
_THREADS: Final = 32
# Seconds for which a wrong credential is cached, and the error of a Keystone that did not answer.
_WRONG: Final = 30.0
_SILENT: Final = 1.0
# Maximum number of wrong credentials of one sender, and the period in seconds.
_FAILURES: Final = 10
_WINDOW: Final = 60.0


@dataclass(frozen=True)
class _Entry:
    until: float  # by the clock of the cache
    found: Login | Exception


class Logins:
    """The cache of validated credentials. For use in one event loop."""

    def __init__(
        self,
        clouds: Clouds,
        *,
        remember: float = 60.0,
        timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Create an empty cache.

        Args:
            clouds: the clouds, with their Keystones.
            remember: seconds for which a validated credential is not validated again.
            timeout: seconds for an answer of Keystone.
            clock: seconds since the epoch.
        """
        self._clouds: Final = clouds
        self._remember: Final = remember
        self._timeout: Final = timeout
        self._clock: Final = clock
        self._entries: Final[LRUCache[tuple[str, str], _Entry]] = LRUCache(_MOST)
        self._asking: Final[dict[tuple[str, str], asyncio.Task[Login]]] = {}
        self._turns: Final[dict[str, asyncio.Semaphore]] = {}
        self._failures: Final = Failures(clock=clock)
        self._threads: Final = ThreadPoolExecutor(_THREADS, thread_name_prefix="keystone")

    def close(self) -> None:
        """Cancel the requests in progress."""
        for task in self._asking.values():
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def get(self, credential: Credential, at: Keystone, sender: str, wait: float) -> Login:
        """Validate a credential, from the cache or with Keystone.

        Args:
            credential: the caller's credential.
            at: the Keystone.
            sender: the origin of the call; limits the number of its wrong credentials.
            wait: maximum wait in seconds; a request that takes longer continues for the next call.

        Raises:
            UnauthenticatedError: the credential is refused, or the sender sent too many wrong ones.
            errors.RateError: too many requests are in progress.
            errors.LeftAloneError: Keystone has not answered yet.
            Exception: keystoneauth's error, if Keystone did not answer.
        """
        key = (at.url, credential.digest)
        entry = self._entries.get(key)
        if entry is not None and self._clock() < entry.until:
            if isinstance(entry.found, Exception):
                raise entry.found.with_traceback(None)  # otherwise each raise would extend the cached traceback
            return entry.found
        task = self._asking.get(key)
        if task is None:
            if (seconds := self._failures.blocked(sender)) > 0:
                message = f"too many wrong credentials from this address: none is checked for {seconds:.0f} s"
                raise UnauthenticatedError(message, cloud=at.cloud, retry_after=seconds)
            if len(self._asking) >= _MOST_ASKED:
                raise errors.RateError("too many credentials are being checked", retry_after=1.0)
            task = self._asking[key] = asyncio.create_task(self._ask(key, credential, at, sender))
            task.add_done_callback(_seen)
        done, _ = await asyncio.wait({task}, timeout=wait)
        if not done:
            raise errors.LeftAloneError(
                f"{at.cloud}: Keystone has not confirmed the caller within {wait:.1f} s", retry_after=_SILENT
            )
        return task.result()

    async def _ask(self, key: tuple[str, str], credential: Credential, at: Keystone, sender: str) -> Login:
        try:
            async with self._turns.setdefault(at.cloud, asyncio.Semaphore(_ASKED_OF_ONE)):
                call = Call().to(at.cloud, at.region, timeout=self._timeout)
                loop = asyncio.get_running_loop()

                def refused() -> None:
                    # Called in a thread when a service refuses the credential: the next call validates it again with Keystone.
                    with contextlib.suppress(RuntimeError):  # the event loop is closed
                        loop.call_soon_threadsafe(self._entries.pop, key, None)

                session = self._clouds.session(at)
                outcome = await in_thread(call, self._threads, login, credential, at, session, refused)
            self._keep(key, outcome, min(self._clock() + self._remember, outcome.expires))
        except UnauthenticatedError as error:
            self._failures.failed(sender)
            self._keep(key, error, self._clock() + _WRONG)
            raise
        except Exception as error:
            self._keep(key, error, self._clock() + _SILENT)
            raise
        else:
            return outcome
        finally:
            del self._asking[key]

    def _keep(self, key: tuple[str, str], outcome: Login | Exception, until: float) -> None:
        if isinstance(outcome, Exception):
            # The frames of its traceback would keep the credential and the session in memory for as long as it is cached.
            outcome.__traceback__ = outcome.__context__ = outcome.__cause__ = None
        self._entries[key] = _Entry(until, outcome)


def _seen(task: asyncio.Task[Login]) -> None:
    """Retrieve the exception of a task that may have no waiting caller any more, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()


class Failures:
    """Counts the recent wrong credentials of each sender."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Create it without failures."""
        self._clock: Final = clock
        self._seen: Final[LRUCache[str, tuple[float, int]]] = LRUCache(_MOST)  # sender -> start of the period, count

    def blocked(self, sender: str) -> float:
        """Seconds for which no new credential of a sender is validated; 0 if it is not blocked."""
        since, count = self._seen.get(sender, (0.0, 0))
        return max(0.0, since + _WINDOW - self._clock()) if count >= _FAILURES else 0.0

    def failed(self, sender: str) -> None:
        """Count a wrong credential."""
        now = self._clock()
        since, count = self._seen.pop(sender, (now, 0))
        self._seen[sender] = (since, count + 1) if now < since + _WINDOW else (now, 1)
