"""What a user of an aggregator's Horizon waits for, beside a Horizon of the provider itself: the log-in until the first page, and a page of 200 servers.

python -m bench --only horizon

Both are real, of one lab, and show the same servers of the same project at the provider: one through the aggregator's HAProxy and gateway, the region
and the provider's gateway, the other one through the provider's own front. The client is a program with cookies, which runs no script: what a page's
own scripts ask afterwards is not in the figures.
"""

import os
import sqlite3
import statistics
import tempfile
import time
import uuid
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import requests
from tests.market.market import PASSWORD, XAVIERS, Person, new_user, sold, until

from bench.rows import Row
from openstackoid.lab import Lab

_SERVERS: Final = 200
_GOAL: Final = 1.3
_ADDRESS: Final = "127.0.69.0"
_REGION: Final = "V1"
_LOCAL_USER: Final = "local-user"
# Nova's tables of a server: database -> table -> column with the server's id.
_ROWS: Final = {
    "nova": {
        "instances": "uuid",
        "instance_extra": "instance_uuid",
        "instance_info_caches": "instance_uuid",
        "instance_system_metadata": "instance_uuid",
    },
    "nova_api": {"instance_mappings": "instance_uuid"},
}
_WHAT: Final = {"log_in": "log-in, until the first page", "servers": f"page of {_SERVERS} servers"}


def measured(rounds: int) -> dict[str, Any]:
    """All rows of this section.

    Args:
        rounds: in each, both Horizons are asked for everything once, in turns.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        names = ["Aggregator", "Provider"]
        lab = Lab(Path(folder) / "lab", names, _ADDRESS, aggregator=True, with_dashboard=True)
        try:
            lab.up(lambda _: None)
            rows = _rows(_browsers(lab), rounds)
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
    head = "An aggregator's Horizon, divided by the provider's own with the same servers"
    load, seconds = f"load average {result['load_average']:.1f}", f"{result['seconds']:.0f} s"
    shown = [f"{head}; {result['rounds']} rounds in turns, medians; {load}, {seconds}:"]
    verdicts = {True: "holds", False: "MISSED", None: ""}
    return shown + [
        f"  {row['what']:34} {row['goal']:8} {verdicts[row['holds']]:8} {row['measured']}" for row in result["rows"]
    ]


class _Browser:
    """A user before a Horizon, without a browser.

    Args:
        url: of Horizon.
        name: of the user.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._session = requests.Session()

    def log_in(self) -> float:
        """Seconds from the form to the first page."""
        self._session.close()
        self._session = requests.Session()
        began = time.monotonic()
        form = f"{self._url}auth/login/?next=/project/"
        self._get(form)
        given = {"username": self._name, "password": PASSWORD, "region": "default"}
        given["csrfmiddlewaretoken"] = str(self._session.cookies["csrftoken"])
        page = self._session.post(form, data=given, timeout=120)
        took = time.monotonic() - began
        if page.status_code != 200 or not page.url.endswith("/project/"):
            raise SystemExit(f"bench: expected the first page, got {page.status_code} at {page.url}")
        self._session.cookies.set("API_RESULT_PAGE_SIZE", str(_SERVERS))
        return took

    def servers(self) -> float:
        """Seconds of the page with all servers."""
        began = time.monotonic()
        page = self._get(f"{self._url}project/instances/")
        took = time.monotonic() - began
        if (count := page.text.count("data-object-id=")) != _SERVERS:
            raise SystemExit(f"bench: expected {_SERVERS} servers on the page, got {count}")
        return took

    def _get(self, url: str) -> requests.Response:
        page = self._session.get(url, timeout=120)
        if page.status_code != 200:
            raise SystemExit(f"bench: {url} answered {page.status_code}")
        return page


def _browsers(lab: Lab) -> tuple[_Browser, _Browser]:
    """One at the provider, one at the aggregator; their projects are one at the provider, with the servers."""
    rita, pia = (Person(lab.clouds_yaml, f"{name}-admin") for name in lab.clouds)
    sold(rita, pia, _REGION)
    xavier = new_user(lab, rita, regions=(_REGION,))
    network = xavier.ask("POST", _REGION, "network", "/v2.0/networks", 201, json={"network": {"name": "wide"}})
    subnet = {"network_id": network["network"]["id"], "ip_version": 4, "cidr": "10.4.0.0/20"}
    xavier.ask("POST", _REGION, "network", "/v2.0/subnets", 201, json={"subnet": subnet})
    project = pia.ask("GET", "RegionOne", "network", "/v2.0/networks?name=wide")["networks"][0]["project_id"]
    _fill(lab, xavier, subnet["network_id"])
    identity = ("RegionOne", "identity")
    user = pia.ask("POST", *identity, "/users", 201, json={"user": {"name": _LOCAL_USER, "password": PASSWORD}})
    role = pia.ask("GET", *identity, "/roles?name=member")["roles"][0]["id"]
    pia.ask("PUT", *identity, f"/projects/{project}/users/{user['user']['id']}/roles/{role}", 204)
    provider, aggregator = (lab.clouds[name].dashboard for name in ("Provider", "Aggregator"))
    return _Browser(provider, _LOCAL_USER), _Browser(aggregator, XAVIERS.user)


def _fill(lab: Lab, xavier: Person, network: Any) -> None:
    """Make one server, and the others as rows like its own: the lab's nova takes three seconds for each."""
    server: dict[str, Any] = {"name": "vm", "networks": [{"uuid": network}]}
    server["imageRef"] = xavier.ask("GET", _REGION, "image", "/v2/images?name=cirros")["images"][0]["id"]
    server["flavorRef"] = xavier.ask("GET", _REGION, "compute", "/flavors")["flavors"][0]["id"]
    made = xavier.ask("POST", _REGION, "compute", "/servers", 202, json={"server": server})["server"]["id"]

    def active() -> int:
        return len(xavier.ask("GET", _REGION, "compute", "/servers?status=ACTIVE")["servers"])

    until(active)
    for database, columns in _ROWS.items():
        with closing(sqlite3.connect(lab.clouds["Provider"].database(database), timeout=60)) as nova, nova:
            nova.row_factory = sqlite3.Row
            for table, column in columns.items():
                rows = [dict(row) for row in nova.execute(f"select * from {table} where {column} = ?", [made])]
                for copy in range(1, _SERVERS):
                    for row in rows:
                        changed = {**row, "id": None, column: str(uuid.UUID(int=copy))}
                        nova.execute(
                            f"insert into {table} ({', '.join(changed)}) values ({', '.join('?' * len(changed))})",
                            [*changed.values()],
                        )
    if active() != _SERVERS:
        raise SystemExit(f"bench: expected {_SERVERS} servers, got {active()}")


def _rows(browsers: tuple[_Browser, _Browser], rounds: int) -> list[Row]:
    times: dict[str, tuple[list[float], list[float]]] = {what: ([], []) for what in _WHAT}
    for browser in browsers:  # what is done once: imports, templates, connections
        for what in _WHAT:
            getattr(browser, what)()
    for _ in range(rounds):
        for what, found in times.items():
            for browser, taken in zip(browsers, found, strict=True):
                taken.append(getattr(browser, what)())
    rows = []
    for what, (direct, aggregated) in times.items():
        ratio = statistics.median(aggregated) / statistics.median(direct)
        figures = f"{ratio:.2f}; {statistics.median(aggregated):.2f} s, {statistics.median(direct):.2f} s"
        rows.append(Row(_WHAT[what], f"<= {_GOAL}", figures, ratio <= _GOAL))
    return rows
