"""Serving: two addresses, one loop that sends and looks at the clock, until a signal.

Any number of processes serve one database: the kernel spreads connections over those with the same addresses (SO_REUSEPORT).
"""

import asyncio
import contextlib
import logging
import signal
import ssl
import time
from collections.abc import AsyncIterator
from typing import Final

import aiohttp
import uvloop
from aiohttp import web

from openstackoid import notify
from openstackoid.core.errors import ConfigError
from openstackoid.policies import Policies
from openstackoid.regions.accounts import Accounts
from openstackoid.regions.app import App
from openstackoid.regions.catalog import Account, Catalog
from openstackoid.regions.config import Aggregator, Config
from openstackoid.regions.control import Control
from openstackoid.regions.following import Follower
from openstackoid.regions.handlers import routes
from openstackoid.regions.identity import Keystone
from openstackoid.regions.metering import Meter
from openstackoid.regions.objects import message as messages
from openstackoid.regions.peers import Peers
from openstackoid.regions.policies import RULES
from openstackoid.regions.statements import Statements
from openstackoid.regions.tables import MIGRATIONS
from openstackoid.regions.tables.binding import Bindings
from openstackoid.regions.tables.contract import Contracts
from openstackoid.regions.tables.message import Outbox
from openstackoid.regions.tables.project_states import ProjectStates
from openstackoid.regions.tables.usage import Usages
from openstackoid.regions.tables.virtual_region import Regions
from openstackoid.regions.tables.work import Works
from openstackoid.regions.working import Worker
from openstackoid.storage.databases import Database
from openstackoid.trust import key_files
from openstackoid.trust.store import Store

_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)


_LOG: Final = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code.

    Raises:
        ConfigError: keys, certificates or addresses cannot be used.
        StoreError: a database cannot be used.
    """
    uvloop.run(_serve(config))
    return 0


@contextlib.asynccontextmanager
async def control_of(config: Config) -> AsyncIterator[Control]:
    """The control plane of a configuration, with its tables up to date.

    Raises:
        ConfigError: keys or certificates cannot be read.
        StoreError: a database cannot be used.
    """
    keys = key_files.load(config.keys, config.keys_env, config.keys_command)
    database, store = Database(config.database_url, option="database"), Store(config.trust_url)
    try:
        # True: the system's authorities, which aiohttp has read at its import. That takes as long as all else here.
        trusted = ssl.create_default_context(cafile=str(config.ca)) if config.ca else True
    except OSError as error:
        raise ConfigError(f"ca: {config.ca}: {error.strerror or error}") from None
    await asyncio.to_thread(MIGRATIONS.upgrade, database)
    await asyncio.to_thread(store.upgrade)
    connector = aiohttp.TCPConnector(ssl=trusted, limit=100)
    async with aiohttp.ClientSession(
        connector=connector, timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        regions, works, states = Regions(database), Works(database), ProjectStates(database)
        contracts = Contracts(database, config.cloud, lambda message: messages.sign(message, keys, time.time()))
        peers = Peers(config.cloud, store, keys, session, config.skew)
        about = config.aggregator
        catalog = Catalog(_account(config, about), session) if about else None
        accounts = Accounts(config.keystone, config.provider, session) if config.provider else None
        usages = Usages(database)
        meter = Meter(usages, contracts, regions, store.projects, accounts) if accounts else None
        yield Control(
            config.cloud,
            regions,
            contracts,
            Outbox(database),
            peers,
            Keystone(config.keystone, session, config.recheck),
            Policies(RULES, config.policy_file),
            Bindings(database),
            store.contracts,
            keys,
            works,
            states,
            store.projects,
            Statements(config.cloud, contracts, usages, peers, keys, meter),
            store.region_health,
            Worker(works, contracts, regions, store.projects, store.quotas, accounts, config.provider.settle)
            if accounts and config.provider
            else None,
            catalog,
            about,
            Follower(config.cloud, contracts, states, catalog, peers, keys, about.deleted_after)
            if about and catalog
            else None,
            leases=store.quotas,
            audit=tuple(config.audit),
        )
    store.close()
    database.close()


def _account(config: Config, about: Aggregator) -> Account:
    return Account(
        config.keystone,
        about.username,
        about.password_file,
        about.user_domain_name,
        about.project_name,
        about.project_domain_name,
    )


async def _serve(config: Config) -> None:
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stopped.set)
    async with control_of(config) as control, contextlib.AsyncExitStack() as stack:
        sites = ((config.listen, routes.OPERATORS, config.keystone), (config.listen_peers, routes.PEERS, None))
        for address, paths, keystone in sites:
            runner = web.ServerRunner(web.Server(App(control, paths, keystone).handle, access_log=None))
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            host, _, port = address.rpartition(":")
            try:
                await web.TCPSite(runner, host.strip("[]"), int(port), reuse_port=True).start()
            except OSError as error:
                raise ConfigError(f"cannot listen at {address}: {error.strerror}") from None
        loop = asyncio.create_task(control.run(config.tick))
        text = "%s's control plane serves at %s, peers at %s"
        _LOG.info(text, config.cloud, config.listen, config.listen_peers)
        notify.tell(notify.READY)
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({loop, waiting}, return_when=asyncio.FIRST_COMPLETED)
        notify.tell(notify.STOPPING)
        for task in (loop, waiting):
            task.cancel()
        results = await asyncio.gather(loop, waiting, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
