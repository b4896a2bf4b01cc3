"""Control planes as processes, each behind a door of its cloud and with a Keystone: see `door.py`."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import yaml
from tests import commands
from tests.ports import free_ports
from tests.regions.catalog import PASSWORD
from tests.regions.cloud import ADMIN as CLOUD_ADMIN
from tests.regions.cloud import MANAGER as CLOUD_MANAGER
from tests.regions.cloud import MANAGER_PASSWORD
from tests.regions.door import ADMIN, Door

from openstackoid.regions.tables.project_states import ProjectStates
from openstackoid.storage.databases import Database
from openstackoid.trust import key_files
from openstackoid.trust.contracts import ContractGrant
from openstackoid.trust.grants import Grant
from openstackoid.trust.projects import ProjectMappings
from openstackoid.trust.quota_leases import QuotaLeases
from openstackoid.trust.region_health import Counted
from openstackoid.trust.store import Store

if TYPE_CHECKING:
    import subprocess

WAIT: Final = 60.0


class Plane:
    """A cloud with a control plane.

    Attributes:
        url: where its operators call.
        door: where its peers do.
        folder: of its files.
        database_url: of its database.
        log: what it writes.
    """

    def __init__(self, cloud: str, directory: Path, database: str | None = None, keystone: str | None = None) -> None:
        """Write its configuration; without a Keystone, the door is one."""
        self.cloud, self.folder = cloud, directory
        directory.mkdir()
        self.keys = key_files.create(directory / "keys.json")
        operators, self.inner, door = free_ports(3)
        self.url, self.door_url = f"http://127.0.0.1:{operators}", f"http://127.0.0.1:{door}"
        self.door = Door(self.keys, door, self.inner)
        self._file = directory / "regions.yaml"
        self.log = directory / "log"
        self.database_url = database = database or f"sqlite:///{directory / 'database.sqlite'}"
        config = {
            "cloud": cloud,
            "keystone": keystone or f"{self.door_url}/v3",
            "listen": f"127.0.0.1:{operators}",
            "listen_peers": f"127.0.0.1:{self.inner}",
            "database": database,
            "keys": str(directory / "keys.json"),
            "tick": 0.4,
            "aggregator": {
                "gateway": "https://a.example:5000",
                "username": "regions",
                "password_file": str(directory / "password"),
                "project_name": "admin",
                "deleted_after": 4,
            },
        }
        (directory / "password").write_text(PASSWORD)
        (directory / "manager").write_text(MANAGER_PASSWORD)
        login = {"password_file": str(directory / "manager")}
        self._accounts = {
            "manager": {"username": CLOUD_MANAGER, **login},
            "admin": {"username": CLOUD_ADMIN, "project_name": "admin", **login},
        }
        self._file.write_text(yaml.safe_dump(config))
        self._database = Database(database)
        self._store = Store(database)
        self._store.upgrade()
        self.process: subprocess.Popen[str] | None = None
        self._kept: contextlib.AsyncExitStack | None = None
        self._session: aiohttp.ClientSession | None = None

    def sets_up(self, *accounts: str, settle: int = 0) -> None:
        """Give a provider accounts with which it sets up and cleans up by itself, from its next start on."""
        config = yaml.safe_load(self._file.read_text())
        config["provider"] = {name: self._accounts[name] for name in accounts or self._accounts} | {"settle": settle}
        self._file.write_text(yaml.safe_dump(config))

    def compares_projects(self, every: float) -> None:
        """Have an aggregator compare its projects with its providers' each so many seconds, from its next start on."""
        config = yaml.safe_load(self._file.read_text())
        config["aggregator"]["projects_every"] = every
        self._file.write_text(yaml.safe_dump(config))

    def gateways_counted(self, contract: str, minute: int, counts: Counted) -> None:
        """As gateways write how a region does."""
        self._store.region_health.add([(contract, minute, counts)])

    def audits(self, *files: Path) -> None:
        """Let it compare statements with these files, from its next start on."""
        config = yaml.safe_load(self._file.read_text())
        config["audit"] = [str(file) for file in files]
        self._file.write_text(yaml.safe_dump(config))

    @property
    def mappings(self) -> ProjectMappings:
        """Which sub-project stands for which project, as gateways write it."""
        return self._store.projects

    @property
    def quotas(self) -> QuotaLeases:
        """What of contracts' quotas is leased, as gateways write it."""
        return self._store.quotas

    def check(self) -> tuple[int, str]:
        """`openstackoid regions check`: exit code and output."""
        command = [str(Path(sys.executable).with_name("openstackoid")), "regions", "check", "--config", str(self._file)]
        done = commands.run(command, stdout=PIPE, stderr=PIPE, text=True, timeout=WAIT)
        return done.returncode, done.stdout + done.stderr

    def stated(self, contract: str) -> dict[str, str]:
        """The states of a contract's projects that are not enabled."""
        return {project: state.value for project, (state, _) in ProjectStates(self._database).all(contract).items()}

    async def as_peer(self, path: str, body: Any) -> tuple[int, str]:
        """A request at the address for peers: (status, code of the refusal)."""
        url = f"http://127.0.0.1:{self.inner}{path}"
        async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
            answer = await response.json()
            return response.status, answer.get("error", {}).get("openstackoid_code", "")

    def know(self, other: "Plane") -> None:
        """Make an agreement with another cloud, as operators do by commands."""
        self._store.add(other.cloud, other.door_url, other.keys.fingerprint, Grant(services=("image",)), "tests")
        self._store.change(other.cloud, "allow", "tests")

    def forget(self, other: "Plane") -> None:
        """Take it back."""
        self._store.change(other.cloud, "suspend", "tests")

    def know_again(self, other: "Plane") -> None:
        """Make it once more."""
        self._store.change(other.cloud, "allow", "tests")

    def in_use(self) -> list[ContractGrant]:
        """The contracts that gateways find in the database."""
        return self._store.contracts.all()

    def start(self) -> None:
        """Start the process; `ready` waits for it."""
        command = [str(Path(sys.executable).with_name("openstackoid")), "regions", "serve", "--config", str(self._file)]
        with self.log.open("a") as log:
            self.process = commands.popen(command, stdout=log, stderr=log, text=True)

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
            self._session = None

    async def ready(self) -> None:
        """Wait until it answers."""

        async def answers() -> bool:
            assert self.process
            assert self.process.poll() is None, self.log.read_text()
            try:
                return (await self.call("GET", "/"))[0] == 200
            except aiohttp.ClientError:
                return False

        await until(answers)

    async def call(self, method: str, path: str, body: Any = None, token: str | None = ADMIN) -> tuple[int, Any]:
        """A request of an operator: (status, document)."""
        headers = {"X-Auth-Token": token} if token else {}
        async with contextlib.AsyncExitStack() as stack:
            session = self._session
            if session is None:
                session = await (self._kept or stack).enter_async_context(_session())
            self._session = session if self._kept else None
            response = await stack.enter_async_context(
                session.request(method, self.url + path, json=body, headers=headers)
            )
            return response.status, json.loads(await response.read())

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Keep the connections of calls meanwhile, until the process is killed; else each call has its own."""
        async with contextlib.AsyncExitStack() as self._kept:
            yield
        self._kept = self._session = None

    def stop(self) -> None:
        """End it as an operator does."""
        if self.process:
            self.process.terminate()
            assert self.process.wait(WAIT) == 0, self.log.read_text()
        self._store.close()
        self._database.close()


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT))


async def until(condition: Callable[[], Any], seconds: float = WAIT) -> Any:
    """Wait for something; returns what it says. What takes long is looked at less often: a look costs a control plane as much as its own work."""
    began = time.monotonic()
    while True:
        found = await condition()
        if found:
            return found
        waited = time.monotonic() - began
        assert waited < seconds, "it did not come to that"
        await asyncio.sleep(min(max(0.02, waited / 4), 0.4))


@contextlib.asynccontextmanager
async def two_planes(
    directory: Path,
    database: Callable[[str], str | None] = lambda _: None,
    accounts: tuple[str, ...] = (),
    projects_every: float = 60,
    settle: int = 0,
) -> AsyncIterator[tuple[Plane, Plane]]:
    """A provider and a consumer that have an agreement, and serve; with accounts the provider sets up and cleans up by itself."""
    provider = Plane("CloudP", directory / "p", database("p"))
    if accounts:
        provider.sets_up(*accounts, settle=settle)
    consumer = Plane("CloudA", directory / "a", database("a"))
    consumer.compares_projects(projects_every)
    provider.know(consumer)
    consumer.know(provider)
    async with provider.door.open(), consumer.door.open(), provider.connected(), consumer.connected():
        try:
            for plane in (provider, consumer):
                plane.start()
            for plane in (provider, consumer):
                await plane.ready()
            yield provider, consumer
        finally:
            for plane in (provider, consumer):
                plane.stop()


REGION: Final[dict[str, Any]] = {
    "name": "north",
    "domain_id": "d" * 32,
    "services": ["compute", "image"],
    "quota": {"cores": 10},
    "resources": {"flavors": ["1", "2"]},
}


def terms(region: str, **changed: Any) -> dict[str, Any]:
    """Terms of a contract about a region."""
    return {
        "virtual_region": region,
        "version": 1,
        "region_name": "V1",
        "services": ["image"],
        "from": "2027-01-01T00:00:00Z",
        "answer_by": "2099-01-01T00:00:00Z",
        **changed,
    }


async def offered(provider: Plane, **changed: Any) -> str:
    """The id of a region that is offered to all."""
    status, made = await provider.call("POST", "/v1/virtual-regions", REGION | changed)
    assert status == 201, made
    status, made = await provider.call("POST", f"/v1/virtual-regions/{made['id']}/offer", {})
    assert (status, made["state"]) == (200, "offered")
    return str(made["id"])


async def active(provider: Plane, consumer: Plane, name: str = REGION["name"], **changed: Any) -> str:
    """The id of a contract that both sides have agreed on and that is active on both, about a virtual region of that name."""
    asked = {
        "provider": "CloudP",
        "terms": terms(await offered(provider, name=name), **{"from": "2020-01-01T00:00:00Z"} | changed),
    }
    status, made = await consumer.call("POST", "/v1/contracts", asked)
    assert status == 201, made
    await in_state(provider, made["id"], "requested")
    for event in ("accept", "provision", "activate"):
        status, after = await provider.call("POST", f"/v1/contracts/{made['id']}/events", {"event": event})
        assert status == 200, after
    await in_state(consumer, made["id"], "active")
    return str(made["id"])


async def in_state(plane: Plane, contract: str, state: str) -> dict[str, Any]:
    """Wait until a cloud's copy of a contract is in a state, and nothing of it is on its way."""

    async def there() -> Any:
        status, found = await plane.call("GET", f"/v1/contracts/{contract}")
        return found if status == 200 and (found["state"], found["unacknowledged"]) == (state, 0) else None

    found: dict[str, Any] = await until(there)
    return found
