"""A real Keystone whose catalog has many regions: an aggregator's, before its HAProxy and gateway, as `openstackoid lab up --aggregator` makes them.

python -m bench --only catalog

A region is written by the control plane's own code (`openstackoid.regions.catalog`), most of the many as rows of Keystone's database like those that
this code has made; the contracts as control planes write them for gateways.
"""

import asyncio
import hashlib
import os
import sqlite3
import statistics
import tempfile
import time
import uuid
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import requests

from bench.rows import Row
from openstackoid.core.protocol import SCOPED_PREFIX
from openstackoid.lab import Lab
from openstackoid.regions.catalog import Account, Catalog
from openstackoid.regions.objects.binding import Binding, endpoints
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

_FEW: Final = 10
_MANY: Final = 1000
_EACH: Final = 5  # requests of each kind in a round
_SERVICES: Final = ("compute", "image", "network")
_ADDRESS: Final = "127.0.68.0"
_PARTS: Final = ("identity", "gateway", "haproxy")
_PATIENCE: Final = 180.0
_TOKENS: Final = "/v3/auth/tokens"


def measured(rounds: int) -> dict[str, Any]:
    """All rows of this section.

    Args:
        rounds: of five requests of each kind.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder) / "lab", ["Aggregator", "Provider"], _ADDRESS, aggregator=True)
        try:
            rows = _rows(lab, rounds)
        finally:
            lab.reset()
    return {
        "rows": [asdict(row) for row in rows],
        "rounds": rounds,
        "load_average": os.getloadavg()[0],
        "seconds": time.monotonic() - began,
    }


def lines(result: dict[str, Any]) -> list[str]:
    """The rows for people."""
    head = f"A real Keystone with {_FEW} regions, then with {_MANY}, of {len(_SERVICES)} services and identity each"
    load, seconds = f"load average {result['load_average']:.1f}", f"{result['seconds']:.0f} s"
    shown = [f"{head}; medians of {_EACH * result['rounds']}; {load}, {seconds}:"]
    return shown + [f"  {row['what']:58} {row['measured']}" for row in result["rows"]]


class _Aggregator:
    """An aggregator's Keystone, gateway and HAProxy."""

    def __init__(self, lab: Lab) -> None:
        self.cloud = lab.clouds["Aggregator"]
        self._lab = lab
        self._store = Store(f"sqlite:///{self.cloud.database('trust')}")
        self._contracts: list[ContractGrant] = []
        password = self.cloud.trust_password
        user = {"name": "admin", "password": password.read_text().strip(), "domain": {"id": "default"}}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        identity: dict[str, Any] = {"methods": ["password"], "password": {"user": user}}
        self._login: Any = {"auth": {"identity": identity, "scope": scope}}
        self._account = Account(f"{self.cloud.backend('identity')}/v3", "admin", password)

    def bind(self, first: int, last: int) -> float:
        """Write regions of these numbers into catalog and database; seconds for the catalog."""
        began = time.monotonic()
        asyncio.run(self._write(range(first, last)))
        took = time.monotonic() - began
        self._contract(first, last)
        return took

    def copy(self, first: int, last: int) -> None:
        """The same by rows like those of the region V0."""
        with closing(sqlite3.connect(self.cloud.database("keystone"), timeout=60)) as keystone, keystone:
            keystone.row_factory = sqlite3.Row
            region = dict(keystone.execute("select * from region where id = 'V0'").fetchone())
            points = [dict(row) for row in keystone.execute("select * from endpoint where region_id = 'V0'")]
            for number in range(first, last):
                name = f"V{number}"
                own = region | {"id": name, "description": Binding(name, _contract(number)).description}
                _insert(keystone, "region", own)
                for point in points:
                    url = point["url"].replace("/V0/", f"/{name}/")
                    changed = {"id": uuid.uuid4().hex, "region_id": name, "url": url}
                    _insert(keystone, "endpoint", point | changed)
        self._contract(first, last)

    def _contract(self, first: int, last: int) -> None:
        grant = Grant(services=_SERVICES, pseudonyms=True)
        consumer, active = ContractSide.CONSUMER, GrantState.ACTIVE
        self._contracts += [
            ContractGrant(_contract(number), "Provider", consumer, active, grant, f"V{number}")
            for number in range(first, last)
        ]
        self._store.contracts.replace(lambda: self._contracts)

    async def _write(self, numbers: range) -> None:
        base, identity = self.cloud.frontend("identity"), self.cloud.auth_url
        async with aiohttp.ClientSession() as session:
            catalog = Catalog(self._account, session)
            for number in numbers:
                name = f"V{number}"
                await catalog.write(Binding(name, _contract(number)), endpoints(name, base, identity, _SERVICES))

    def log_in(self, url: str, query: str = "") -> requests.Response:
        answer = requests.post(f"{url}{_TOKENS}{query}", json=self._login, timeout=120)
        if answer.status_code != 201:
            raise SystemExit(f"bench: Keystone answered {answer.status_code}: {answer.text[:200]}")
        return answer

    def look_up(self, url: str, token: str, query: str = "") -> requests.Response:
        headers = {"X-Auth-Token": token, "X-Subject-Token": token}
        answer = requests.get(f"{url}{_TOKENS}{query}", headers=headers, timeout=120)
        if answer.status_code != 200:
            raise SystemExit(f"bench: Keystone answered {answer.status_code}: {answer.text[:200]}")
        return answer

    def knows(self, region: str) -> float:
        """Seconds until the gateway serves a region: it refuses what nobody logged in for, and not an unknown scope."""
        began = time.monotonic()
        url = f"{self.cloud.frontend('identity')}{SCOPED_PREFIX}{region}/image/v2/images"
        while requests.get(url, timeout=60).status_code == 404:
            if time.monotonic() - began > _PATIENCE:
                raise SystemExit(f"bench: the gateway does not serve {region}")
            time.sleep(0.02)
        return time.monotonic() - began

    def memory(self) -> tuple[float, float]:
        """MiB of the gateway, and of HAProxy with its workers."""
        found = []
        for part in ("gateway", "haproxy"):
            process = self._lab.process("Aggregator", part)
            if process is None:
                raise SystemExit(f"bench: the {part} does not run")
            found.append(sum(member.memory for member in process.group()) / 2**20)
        return found[0], found[1]


def _rows(lab: Lab, rounds: int) -> list[Row]:
    lab.directory.mkdir(parents=True, mode=0o700)
    lab.write_clients()
    lab.starter().start([("Aggregator", part) for part in _PARTS], _PATIENCE)
    aggregator = _Aggregator(lab)
    aggregator.bind(0, 1)
    aggregator.copy(1, _FEW)
    aggregator.knows(f"V{_FEW - 1}")
    few, before = _tokens(aggregator, rounds), aggregator.memory()
    one_of_few = aggregator.bind(_FEW, _FEW + 1)
    aggregator.copy(_FEW + 1, _MANY)
    aggregator.knows(f"V{_MANY - 1}")
    many, after = _tokens(aggregator, rounds), aggregator.memory()
    one_more = aggregator.bind(_MANY, _MANY + 1)
    served = aggregator.knows(f"V{_MANY}")
    rows = [Row(what, "", f"{many[what]:.0f} and {few[what]:.0f}: {many[what] / few[what]:.1f} times") for what in few]
    growth = " and ".join(f"{mine - other:.1f}" for mine, other in zip(after, before, strict=True))
    return [
        *rows,
        Row("gateway and HAProxy grow, MiB, with such tokens passed", "", growth),
        Row("one more region in the catalog, s, and served after, s", "", f"{one_more:.2f}, {served:.2f}"),
        Row(f"  the same beside {_FEW} regions, in the catalog, s", "", f"{one_of_few:.2f}"),
    ]


def _tokens(aggregator: _Aggregator, rounds: int) -> dict[str, float]:
    """What a token costs with the catalog as it is now: milliseconds, and bytes."""
    keystone, frontend = aggregator.cloud.backend("identity"), aggregator.cloud.frontend("identity")
    token = aggregator.log_in(keystone).headers["X-Subject-Token"]
    kinds: dict[str, Callable[[], requests.Response]] = {
        "log in at Keystone, ms": lambda: aggregator.log_in(keystone),
        "  without the catalog, ms": lambda: aggregator.log_in(keystone, "?nocatalog"),
        "validate at Keystone, ms": lambda: aggregator.look_up(keystone, token),
        "  without the catalog (as the gateway does), ms": lambda: aggregator.look_up(keystone, token, "?nocatalog"),
        "log in through HAProxy and gateway, ms": lambda: aggregator.log_in(frontend),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(_EACH * rounds):
        for kind, ask in kinds.items():
            began = time.monotonic()
            ask()
            times[kind].append(1000 * (time.monotonic() - began))
    size = {"bytes of a token's answer": float(len(aggregator.log_in(keystone).content))}
    return size | {kind: statistics.median(found) for kind, found in times.items()}


def _insert(database: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    database.execute(f"insert into {table} ({names}) values ({values})", row)


def _contract(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:32]
