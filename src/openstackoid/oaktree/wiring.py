"""Makes the objects of a worker from its configuration, each with its dependencies."""

import contextlib
import functools
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.access.authentication import Authentication
from openstackoid.oaktree.access.gateways import Authenticate, Gateways
from openstackoid.oaktree.access.logins import Logins
from openstackoid.oaktree.cache.answers import Cache, Lifetimes
from openstackoid.oaktree.chain.remote import RemoteOaktrees
from openstackoid.oaktree.config import Config
from openstackoid.oaktree.creates.creating import Creates, watched
from openstackoid.oaktree.creates.leased import Dependencies
from openstackoid.oaktree.creates.operations import Operations
from openstackoid.oaktree.images.uploading import Limits as Uploading
from openstackoid.oaktree.images.uploading import Uploads
from openstackoid.oaktree.resources.kinds import Kinds
from openstackoid.oaktree.resources.repeating import Repeats
from openstackoid.oaktree.upstream.admission import Admission
from openstackoid.oaktree.upstream.breaker import Breaker
from openstackoid.oaktree.upstream.clouds import Clouds
from openstackoid.oaktree.upstream.file import load
from openstackoid.oaktree.upstream.sending import Sender
from openstackoid.oaktree.upstream.sessions import Gates
from openstackoid.oaktree.upstream.transport import Gate
from openstackoid.oaktree.watches.deadlines import Deadlines
from openstackoid.oaktree.watches.polls import Pace
from openstackoid.oaktree.watches.watching import Watches
from openstackoid.oaktree.webhooks import signing
from openstackoid.oaktree.webhooks.sending import Deliveries, Webhook, names_for
from openstackoid.rates.limiters import Limiter, LocalLimiter, RedisLimiter, Unlimited
from openstackoid.rates.shared import Shared

# Maximum size, in bytes, of a list that workers share; it is sent to Redis and back once per interval.
_POLLED: Final = 64 * 1024**2


@dataclass(frozen=True)
class Parts:
    """The objects of a worker."""

    kinds: Kinds
    gates: Gates
    clouds: Clouds
    gateways: Gateways
    logins: Logins
    authenticate: Authenticate
    oaktrees: RemoteOaktrees
    threads: ThreadPoolExecutor
    cache: Cache | None
    repeats: Repeats
    watches: Watches
    deadlines: Deadlines
    creates: Creates
    uploads: Uploads
    deliveries: Deliveries

    @classmethod
    def of(cls, config: Config) -> Self:
        """Make the objects, in the event loop that will use them; sends no requests, and opens no connections.

        Raises:
            ConfigError: the clouds cannot be used, or their names clash with other oaktrees'.
        """
        shared = Shared.at(config.redis, connections=config.threads + 16) if config.redis else None
        gates = Gates(lambda cloud, region: _gate(config, shared, cloud, region))
        clouds = Clouds(load(config.clouds), gates.session, config.peers.of)
        settings = config.callers.tokens
        logins = Logins(clouds, remember=settings.remember if settings else 0, timeout=config.timeout)
        threads = ThreadPoolExecutor(config.threads, thread_name_prefix="cloud")
        gateways = Gateways(clouds, threads, refresh=config.peers.refresh, timeout=config.timeout)
        watch = config.watch
        pace = Pace(watch.interval, watch.longest, watch.patience, config.timeout)
        # Without a Redis, each worker polls for its own watchers. The lifetimes of cached lists do not apply to polls: one that is shorter
        # than the interval would cause a renewal between two polls.
        polled = Cache(Lifetimes(fresh=watch.interval, stale=0.0, largest=_POLLED), shared) if shared else None
        watches = Watches(threads, pace, cache=polled)
        admission = Admission(
            lambda cloud, region: config.limits.of(cloud, region).operations, shared, workers=config.workers
        )
        webhooks = _webhooks(config)
        records = _records(config, webhooks)
        creates = Creates(
            Dependencies(records, threads, watched(watches), config.timeout, config.operations.settle, admission)
        )
        return cls(
            kinds=Kinds(),
            gates=gates,
            clouds=clouds,
            gateways=gateways,
            logins=logins,
            authenticate=gateways.before(Authentication(config, clouds, logins)),
            oaktrees=RemoteOaktrees(config.oaktrees, timeout=config.timeout),
            threads=threads,
            cache=_cache(config, shared) if config.cache else None,
            repeats=Repeats(Sender(), gates.gate),
            watches=watches,
            deadlines=Deadlines(),
            creates=creates,
            deliveries=Deliveries(records, webhooks),
            uploads=Uploads(creates, Uploading(config.uploads.folder, config.uploads.largest, config.uploads.at_once)),
        )

    async def close(self, grace: float) -> None:
        """End the work in progress, within `grace` seconds."""
        await self.deliveries.stop()
        await self.creates.stop(grace)
        await self.oaktrees.close()
        await self.repeats.close()
        self.gateways.close()
        self.logins.close()
        if self.cache is not None:
            self.cache.close()
        self.threads.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(OSError):
            self.gates.close()


def _gate(config: Config, shared: Shared | None, cloud: str, region: str) -> Gate:
    return Gate(cloud, region, Breaker(cloud, region), _limiter(config, shared, cloud, region))


def _limiter(config: Config, shared: Shared | None, cloud: str, region: str) -> Limiter:
    settings = config.limits.of(cloud, region)
    if settings.rate is None:
        return Unlimited()
    if shared is None:
        return LocalLimiter(settings.rate / config.workers, settings.burst)
    return RedisLimiter(shared, settings.rate, settings.burst, workers=config.workers)


def _cache(config: Config, shared: Shared | None) -> Cache:
    settings = config.cache
    if settings is None:
        return Cache(None, shared)
    return Cache(
        Lifetimes(fresh=settings.fresh, stale=settings.stale, largest=settings.largest, memory=settings.memory), shared
    )


def _webhooks(config: Config) -> list[Webhook]:
    made = []
    for settings in config.webhooks:
        try:
            key = signing.secret(settings.secret.read_text().strip())
            context = ssl.create_default_context(cafile=str(settings.ca)) if settings.ca else None
        except OSError as error:
            # ssl's errors are OSErrors, and may have no name of a file.
            raise ConfigError(
                f"webhooks: {settings.name}: {error.filename or settings.ca}: {error.strerror}"
            ) from error
        except ValueError as error:
            raise ConfigError(f"webhooks: {settings.name}: secret: {settings.secret}: {error}") from error
        made.append(Webhook(settings.name, settings.url, key, settings.callers, context))
    return made


def _records(config: Config, webhooks: Sequence[Webhook]) -> Operations:
    settings = config.operations
    if settings.database.startswith("sqlite:///"):
        Path(settings.database.removeprefix("sqlite:///")).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = functools.partial(names_for, webhooks)
    return Operations(settings.database, lease=settings.lease, keep=settings.keep, webhooks=names)
