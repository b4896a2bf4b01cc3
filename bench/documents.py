"""The cost of changing ids and links in JSON: `python -m bench.documents`. CPU time of this process, the best of many turns.

"orjson" decodes and encodes the same document, and changes nothing: what any way that makes objects of it costs at least.
"""

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import orjson

from openstackoid.core import limits
from openstackoid.core.foreign_links import IncomingLinks
from openstackoid.core.ids import Ids
from openstackoid.core.links import Links
from openstackoid.gateway.upstream.rewriter import Job

_PROJECT, _USER, _OTHER = "a" * 32, "b" * 32, "c" * 32
_THERE, _HERE = "http://two.example:8774", "http://one.example:8774"
_TABLE: Final = {_THERE: _HERE}


def server(number: int) -> dict[str, Any]:
    """A server as nova shows it in a detailed list."""
    own, flavor = f"{number:08x}-0000-4000-8000-000000000000", "http://two.example:8774/flavors/1"
    address = {
        "version": 4,
        "addr": "10.0.0.9",
        "OS-EXT-IPS:type": "fixed",
        "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:0:0:9",
    }
    return {
        "id": own,
        "name": f"server-{number}",
        "status": "ACTIVE",
        "tenant_id": _PROJECT,
        "user_id": _USER,
        "metadata": {"role": "web"},
        "hostId": "0" * 56,
        "image": {"id": own, "links": [{"rel": "bookmark", "href": f"{_THERE}/images/{own}"}]},
        "flavor": {"id": "1", "links": [{"rel": "bookmark", "href": flavor}]},
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "addresses": {"private": [address]},
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [{"rel": rel, "href": f"{_THERE}/v2.1/servers/{own}"} for rel in ("self", "bookmark")],
        "OS-DCF:diskConfig": "MANUAL",
        "progress": 0,
        "OS-EXT-AZ:availability_zone": "nova",
        "config_drive": "",
        "key_name": None,
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:00.000000",
        "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": "default"}],
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "os-extended-volumes:volumes_attached": [],
    }


def best(work: Callable[[], object], seconds: float = 2.0) -> float:
    """Milliseconds of CPU for one call."""
    end, found = time.monotonic() + seconds, float("inf")
    while time.monotonic() < end:
        start = time.process_time()
        work()
        found = min(found, time.process_time() - start)
    return found * 1000


def main() -> None:
    """Measure, and print a table."""
    ids, links = Ids({_PROJECT: _OTHER}, {_USER: _OTHER}), Links(_TABLE, "compute")
    checked = IncomingLinks(_TABLE, "compute", "CloudTwo", {"compute": _HERE})
    unconcerned = Ids({"d" * 32: _OTHER})
    ways: dict[str, Callable[[bytes], object]] = {
        "orjson": lambda body: orjson.dumps(orjson.loads(body)),
        "nothing to change": Job("compute", limits.ANSWER, unconcerned, Links({_OTHER: _HERE}, "compute")),
        "ids": Job("compute", limits.ANSWER, ids, Links({}, "compute")),
        "links checked": Job("compute", limits.ANSWER, None, checked),
        "ids, links": Job("compute", limits.ANSWER, ids, links),
        "ids, links checked": Job("compute", limits.ANSWER, ids, checked),
    }
    print(f"{'servers':>8} {'bytes':>9} " + " ".join(f"{way:>20}" for way in ways) + "   (ms of CPU)")
    for count in (1, 5, 10, 40, 1000):
        body = json.dumps({"servers": [server(number) for number in range(count)]}).encode()
        costs = [best(partial(work, body)) for work in ways.values()]
        print(f"{count:8} {len(body):9} " + " ".join(f"{cost:20.3f}" for cost in costs))


if __name__ == "__main__":
    main()
