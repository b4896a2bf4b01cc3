"""Which credentials Keystone has confirmed or refused, for a short time; and no flood of wrong ones to Keystone.

Of each credential one question is under way at a time. What is remembered is bounded in time (a token's revocation is seen after `remember` seconds, and
its end at once) and in number. Who sends too many wrong ones waits: those that were confirmed before still count.
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

# Entries that are remembered; questions that are under way, of all and for one cloud.
_MOST: Final = 20_000
_MOST_ASKED: Final = 1_000
_ASKED_OF_ONE: Final = 8
_THREADS: Final = 32
# Seconds for which a wrong credential is remembered, and a Keystone that did not answer.
_WRONG: Final = 30.0
_SILENT: Final = 1.0
# Wrong credentials of one sender, in so many seconds.
_FAILURES: Final = 10
_WINDOW: Final = 60.0


@dataclass(frozen=True)
class _Entry:
    until: float  # as the clock has it
    found: Login | Exception


class Logins:
    """Credentials, confirmed. In one event loop."""

    def __init__(
        self,
        clouds: Clouds,
        *,
        remember: float = 60.0,
        timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Begin with nothing remembered.

        Args:
            clouds: where Keystones are.
            remember: seconds for which a confirmed credential is not asked about again.
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
        """Give up what is under way."""
        for task in self._asking.values():
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def get(self, credential: Credential, at: Keystone, sender: str, wait: float) -> Login:
        """A credential, confirmed by a Keystone.

        Args:
            credential: the caller's.
            at: whom to ask.
            sender: where the call came from; too many wrong ones are not asked about.
            wait: seconds; a question that takes longer goes on for the next call.

        Raises:
            UnauthenticatedError: it is refused, or its sender sent too many wrong ones.
            errors.RateError: too many questions are under way.
            errors.LeftAloneError: Keystone has not answered yet.
            Exception: of keystoneauth, if Keystone did not answer.
        """
        key = (at.url, credential.digest)
        entry = self._entries.get(key)
        if entry is not None and self._clock() < entry.until:
            if isinstance(entry.found, Exception):
                raise entry.found.with_traceback(None)  # otherwise each time it is raised would be remembered
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
                    # A service of the cloud says so, in a thread: Keystone is asked again at the next call.
                    with contextlib.suppress(RuntimeError):  # the server has ended
                        loop.call_soon_threadsafe(self._entries.pop, key, None)

                session = self._clouds.session(at)
                found = await in_thread(call, self._threads, login, credential, at, session, refused)
            self._keep(key, found, min(self._clock() + self._remember, found.expires))
        except UnauthenticatedError as error:
            self._failures.failed(sender)
            self._keep(key, error, self._clock() + _WRONG)
            raise
        except Exception as error:
            self._keep(key, error, self._clock() + _SILENT)
            raise
        else:
            return found
        finally:
            del self._asking[key]

    def _keep(self, key: tuple[str, str], found: Login | Exception, until: float) -> None:
        if isinstance(found, Exception):
            # Frames of it would hold the credential, and the session, for as long as it is remembered.
            found.__traceback__ = found.__context__ = found.__cause__ = None
        self._entries[key] = _Entry(until, found)


def _seen(task: asyncio.Task[Login]) -> None:
    """Its error is told to those who wait for it; if nobody does any more, to nobody."""
    if not task.cancelled():
        task.exception()


class Failures:
    """How many wrong credentials came from where, lately."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Begin with none."""
        self._clock: Final = clock
        self._seen: Final[LRUCache[str, tuple[float, int]]] = LRUCache(_MOST)  # sender -> since when, how many

    def blocked(self, sender: str) -> float:
        """Seconds for which none of a sender's new credentials is checked; 0 if they are."""
        since, count = self._seen.get(sender, (0.0, 0))
        return max(0.0, since + _WINDOW - self._clock()) if count >= _FAILURES else 0.0

    def failed(self, sender: str) -> None:
        """A wrong one came."""
        now = self._clock()
        since, count = self._seen.pop(sender, (now, 0))
        self._seen[sender] = (since, count + 1) if now < since + _WINDOW else (now, 1)
