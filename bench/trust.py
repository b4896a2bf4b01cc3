"""What trust between clouds of different owners costs: the cryptography, the caches under load, and the way over a WAN.

The WAN is `bench.wan`: 300 ms there and back between the clouds, before the peering doors, and before the frontends where tokens
pass through. A service in CloudTwo asks its own gateway what each token is, as keystonemiddleware does; by default that
remembers the answer for 300 s in each process (keystonemiddleware/auth_token/_opts.py, `token_cache_time`), so both are shown.
"""

import asyncio
import http.client
import json
import secrets
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import clouds, fakes
from bench.stage import FEDERATED, PASSED, Scene
from openstackoid.core import scope as scopes
from openstackoid.gateway.federation.agreements import Agreements
from openstackoid.gateway.federation.keystone import Keystone
from openstackoid.gateway.federation.keystone_api import KeystoneApi
from openstackoid.gateway.senders.foreign_tokens import ForeignTokens
from openstackoid.gateway.settings.loading import load
from openstackoid.trust import key_files, tokens
from openstackoid.trust.claims import Claims, Named
from openstackoid.trust.sealing import seal, unseal

ROUND_TRIP: Final = 0.3  # seconds
_SHOWN: Final = (1, 2, 10)  # of ten requests
_TURNS: Final = 7
_OWN: Final = "gAAAAA" + "x" * 176 + "w"  # base64, as Fernet tokens are


def measured(variants: list[dict[str, Any]], counted: dict[str, dict[str, float]]) -> dict[str, Any]:
    """All figures of this section.

    Args:
        variants: rows of the table above it.
        counted: what the gateways of two owners counted under that load.
    """
    rows = {row["variant"]: row["cpu_us_each"] for row in variants}
    with Scene() as scene:
        return {
            "cpu_us": asyncio.run(_pieces(scene.folder)),
            "gateways_us": {"pass-through": rows[PASSED], "federated": rows[FEDERATED]},
            "tokens": counted,
            "wan_round_trip_ms": ROUND_TRIP * 1000,
            "wan_ms": _over_wan(scene),
        }


def lines(result: dict[str, Any]) -> list[str]:
    """The figures for people."""
    shown = ["Clouds of different owners, CPU us:"]
    shown += [f"  {name:58} {value:8.1f}" for name, value in result["cpu_us"].items()]
    shown += ["", f"CPU us/request of the gateways: {'entry':>29} {'provider':>9} {'both':>6}"]
    for name, (entry, provider) in result["gateways_us"].items():
        shown.append(f"  {name:58} {entry:.0f} {provider:9.0f} {entry + provider:6.0f}")
    shown += ["", "Tokens under that load, of 20 users:"]
    for what, found in result["tokens"].items():
        parts = ", ".join(f"{count:.0f} {how}" for how, count in sorted(found.items()))
        hits = max(found.values()) / sum(found.values())
        shown.append(f"  {what}: {parts}; {hits:.2%} from memory")
    trip = result["wan_round_trip_ms"]
    shown += ["", f"{trip:.0f} ms between the clouds: GET /v2/images of CloudTwo, asked in CloudOne; ms (round trips):"]
    shown.append(" " * 60 + "".join(f"{f'request {number}':>16}" for number in _SHOWN))
    for name, times in result["wan_ms"].items():
        cells = "".join(f"{f'{times[number - 1]:.0f} ({times[number - 1] / trip:.0f})':>16}" for number in _SHOWN)
        shown.append(f"  {name:58}{cells}")
    return shown


async def _pieces(folder: Path) -> dict[str, float]:
    """CPU of each step with tokens, microseconds."""
    one, two = (clouds.Ports.free(name, ("compute", "identity")) for name in _NAMES)
    backends = dict(zip(("compute", "identity"), clouds.ports(2), strict=True))
    configs = clouds.owned(folder, [one, two], [backends, backends], [None, None])
    home, ours = (key_files.read(folder / f"keys-{each.peering}.json") for each in (one, two))
    file = folder / "pieces.yaml"
    file.write_text(json.dumps(configs[1]))
    config = load(file)
    if config.trust is None:
        raise SystemExit("bench: expected a trust section")
    agreements = Agreements(config, lambda: None)
    await asyncio.to_thread(agreements.store.upgrade)
    agreements.peer_keys.accept_keys("CloudOne", home.published(time.time()))
    named = Named("1" * 32, "alice", "default", "Default")
    scope = scopes.parse('{"compute": "CloudTwo"}').explicit("CloudOne")
    now = int(time.time())
    grant = agreements.all()["CloudOne"].id

    def mint() -> str:
        sealed = seal(_OWN, home, now)
        claims = Claims(
            "CloudOne",
            "CloudTwo",
            tokens.new_id(),
            now,
            now + 300,
            grant,
            named,
            named,
            ("member", "reader"),
            scope,
            sealed,
        )
        return tokens.sign(claims, home)

    token = mint()
    claims = tokens.verify(token, agreements.peer_keys.ring("CloudOne"))
    marked = tokens.marked(token, ours)
    async with aiohttp.ClientSession() as session:
        keystone = Keystone(KeystoneApi("http://127.0.0.1:1", session, None))
        known = ForeignTokens("CloudTwo", agreements, keystone, config.trust)
        found = {
            "seal the user's token and sign a federated one (mint)": _spent(mint, 500),
            "verify": _spent(lambda: tokens.verify(token, agreements.peer_keys.ring("CloudOne")), 500),
            "verify one that is known": _spent(lambda: known.read(token), 20000),
            "open the user's token that came home (unseal)": _spent(lambda: unseal(claims.sealed, home), 2000),
            "mark a token for our own services": _spent(lambda: tokens.marked(token, ours), 20000),
            "check the mark": _spent(lambda: tokens.unmarked(marked, ours), 20000),
        }
    await agreements.stop()
    return found


def _spent(what: Callable[[], object], times: int) -> float:
    turns = []
    for _ in range(_TURNS):
        began = time.process_time()
        for _ in range(times):
            what()
        turns.append((time.process_time() - began) / times * 1e6)
    return statistics.median(turns)


def _over_wan(scene: Scene) -> dict[str, list[float]]:
    """Milliseconds of each of ten requests."""
    kinds = ("image", "identity")
    # Ports by which the other cloud reaches what listens elsewhere.
    doors, one_seen, two_seen = clouds.ports(2), clouds.ports(2), clouds.ports(2)
    homes = [clouds.Ports.free(name, kinds) for name in _NAMES]
    plain = [clouds.Ports.free(name, kinds) for name in _NAMES]
    seen = [dict(zip(kinds, found, strict=True)) for found in (one_seen, two_seen)]
    through = list(zip(doors, (each.peering for each in homes), strict=True))
    for each, other in zip(plain, seen, strict=True):
        through += [(other[kind], each.ports[kind]) for kind in kinds]
    wan = scene.start("wan", doors[0], "bench.wan", str(ROUND_TRIP), *(f"{at}:{to}" for at, to in through))
    keystone, *images = clouds.ports(5)
    servers = [wan, scene.start("keystone", keystone, "bench.fakes", "keystone", str(keystone))]
    backends = []
    for port, cloud in zip(images, (*homes, *plain), strict=True):
        identity = f"http://127.0.0.1:{cloud.ports['identity']}"
        servers.append(scene.start("image", port, "bench.fakes", "image", str(port), identity))
        backends.append({"image": port, "identity": keystone})
    configs = clouds.owned(scene.folder, homes, backends[:2], doors)
    for number, each in enumerate(plain):
        peer = {_NAMES[1 - number]: f"http://127.0.0.1:{seen[1 - number]['identity']}"}
        configs.append(clouds.shared(each.cloud, each.ports, backends[2 + number], peer, seen[number]))
    servers += [scene.gateway(config) for config in configs]
    for server in servers:
        server.wait()
    clouds.wait_for_peers([each.ports["image"] for each in (*homes, *plain)])
    time.sleep(2 * ROUND_TRIP)  # what they began meanwhile comes to its end
    federated, passed = homes[0].ports["image"], plain[0].ports["image"]
    return {
        "federated, the service asks about each token": _ten(federated),
        "federated, the service remembers for 300 s": _ten(federated, {fakes.CACHE: "1"}),
        "pass-through, the service asks about each token": _ten(passed),
        "pass-through, the service remembers for 300 s": _ten(passed, {fakes.CACHE: "1"}),
    }


def _ten(port: int, more: dict[str, str] | None = None) -> list[float]:
    """Ten requests of a new user, on one connection."""
    headers = {"X-Auth-Token": f"gAAAAA{secrets.token_hex(16)}", "X-Scope": json.dumps({"image": "CloudTwo"})}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        connection.request("GET", "/v2/images", headers=headers | (more or {}))
        answer = connection.getresponse()
        body = answer.read()
        times.append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise SystemExit(f"bench: expected 200 over the WAN, got {answer.status}: {body[:500]!r}")
    connection.close()
    return times


_NAMES: Final = ("CloudOne", "CloudTwo")
