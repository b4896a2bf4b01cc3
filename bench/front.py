"""Two clouds of different owners with HAProxy in front, plain HAProxies beside them, and a cloud with many peers."""

import contextlib
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench import clouds
from bench.clouds import ports
from bench.haproxies import Authority, Haproxy, configure, plain, short
from bench.stage import MANY_TOKENS, TOKENS, Process, Scene, Variant, load
from bench.upstream import address, image
from openstackoid.core import scope as scopes

BEHIND = "127.0.0.2"  # where gateways listen, at the ports of the frontends
KINDS = ("compute", "image", "identity")
_NAME = "cloudtwo.example"
_SMALL = 1024  # bytes of image data, as many as the list has
MANY_KINDS = ("compute", "image", "network", "block-storage", "placement")


class Front(Scene):
    """All that listens.

        plain:      HAProxy                    -> service
        plain TLS:  HAProxy -> HAProxy (far)   -> service
        fast:       HAProxy (home)             -> service
                                               -> HAProxy (away) -> service: image data of CloudTwo, through its real door
                            -> CloudOne's gateway -> HAProxy (away) -> CloudTwo's gateway -> service: all else of CloudTwo

    Args:
        log: whether HAProxy writes its audit, and plain HAProxy a line a request as well.
    """

    def __init__(self, *, log: bool) -> None:
        self._log = log

    def begin(self) -> None:
        """Start all of it."""
        short(self.folder)
        authority = Authority(self.folder)
        here, there = authority.pair("cloudone.example"), authority.pair(_NAME)
        upstream, keystone, bare, bare_tls, far = ports(5)
        servers = [
            self.start("upstream", upstream, "bench.upstream", str(upstream)),
            self.start("keystone", keystone, "bench.fakes", "keystone", str(keystone)),
        ]
        for server in servers:
            server.wait()  # or the first check of a plain HAProxy fails, and it is down for seconds
        self.far = self.keep(plain(self.folder / "far", far, upstream, certificate=Path(there["both"])))
        peer = (authority.file, _NAME)
        self.bare = self.keep(plain(self.folder / "bare", bare, upstream, log=self._log))
        self.bare_tls = self.keep(plain(self.folder / "tls", bare_tls, far, far=peer, log=self._log))
        one, two = (clouds.Ports.free(name, KINDS) for name in ("CloudOne", "CloudTwo"))
        backends = {"compute": upstream, "image": upstream, "identity": keystone}
        configs = clouds.owned(self.folder, [one, two], [backends, backends], [None, None])
        for config, pair, name in zip(configs, (here, there), ("cloudone.example", _NAME), strict=True):
            config["haproxy"] = self._haproxy(config["cloud"])
            config["ca"] = str(authority.file)
            # Tokens stay learned while they are measured; what their end costs is a row of its own.
            config["trust"]["recheck"] = 300
            config["peering"]["url"] = _secure(config["peering"]["url"])
            config["peering"]["tls"] = {kind: pair[kind] for kind in ("certificate", "key")}
            for each in config["peers"].values():
                each["url"] = _secure(each["url"])
                each["tls_name"] = _NAME if name != _NAME else "cloudone.example"
        self.home, self.away = (self._fronted(config, each) for config, each in zip(configs, (one, two), strict=True))
        self.clouds = {"CloudOne": one, "CloudTwo": two}
        self.configuration = self.folder / f"CloudOne-{one.ports['compute']}.yaml"
        for process in (*servers, self.far, self.bare, self.bare_tls, *self.home, *self.away):
            process.wait()
        clouds.wait_for_peers([each.ports["compute"] for each in (one, two)])
        local = {"X-Scope": '{"compute":"CloudOne"}'}
        listed, fetched = {"X-Scope": '{"compute":"CloudTwo","image":"CloudTwo"}'}, {"X-Scope": '{"image":"CloudTwo"}'}
        images = one.ports["image"]
        # This one has to follow the workflow.
        apart = '{"compute":"CloudOne","image":"CloudTwo"}'
        entry = one.ports["compute"]
        # As the services of this cloud pass it on.
        explicit = scopes.format(scopes.parse(apart).explicit("CloudOne"))
        carried = tuple(f"{token}!SCOPE!{explicit}" for token in MANY_TOKENS)
        self.plain = Variant("plain HAProxy", bare, (self.bare,))
        self.plain_tls = Variant("plain HAProxy, TLS", bare_tls, (self.bare_tls,))
        self.none = Variant("no scope", entry, (self.home[0],), tokens=MANY_TOKENS)
        self.header = Variant("X-Scope, this cloud", entry, (self.home[0],), local, MANY_TOKENS)
        wanted = {"X-Scope": apart}
        self.apart = Variant("X-Scope, this cloud, images elsewhere", entry, (self.home[0],), wanted, MANY_TOKENS)
        self.token = Variant("scope on the token", entry, (self.home[0],), tokens=carried)
        data = image(_SMALL)
        self.plain_data = Variant("plain HAProxy, TLS, image data", bare_tls, (self.bare_tls,), path=data)
        self.data = Variant("image data, another owner, TLS", images, (self.home[0],), fetched, path=data)
        explicit = scopes.format(scopes.parse(fetched["X-Scope"]).explicit("CloudOne"))
        self.by_nova = Variant(
            "the same as nova asks",
            images,
            (self.home[0],),
            {"X-Service-Token": TOKENS[0]},
            tuple(f"{token}!SCOPE!{explicit}" for token in TOKENS),
            data,
        )
        self.entry = Variant("a list, another owner, TLS: home", entry, self.home, listed)
        self.all = Variant("a list, another owner, TLS: both clouds", entry, (*self.home, *self.away), listed)
        self.both = Variant("across both", images, (*self.pair, self.home[1], self.away[1]), fetched, path=data)
        self.both_plain = Variant("plain across both", bare_tls, (self.bare_tls, self.far), path=data)
        for variant in (self.none, self.header, self.apart, self.token, self.both, self.data, self.by_nova, self.all):
            load(variant, "full", seconds=0.5)

    def renew(self) -> None:
        """Other workers of those that are compared, in other memory; they have yet to learn."""
        _renew(self.bare, self.bare_tls, self.home[0])

    @property
    def pair(self) -> tuple[Haproxy, Haproxy]:
        """HAProxy of both clouds."""
        return self.home[0], self.away[0]

    def seen(self, cloud: str = "CloudOne") -> float:
        """Requests that a gateway itself served."""
        return requests(self.clouds[cloud].admin)

    def database(self, cloud: str) -> Path:
        """Of a cloud's agreements."""
        return self.folder / f"trust-{self.clouds[cloud].peering}.sqlite"

    def _haproxy(self, cloud: str) -> dict[str, Any]:
        folder = str(self.folder / cloud)
        return {"gateway": BEHIND, "directory": folder, "threads": 1, "log": "stdout" if self._log else "none"}

    def _fronted(self, config: dict[str, Any], each: clouds.Ports) -> tuple[Haproxy, Process]:
        gateway = self.gateway(config)
        port = each.ports["compute"]
        configure(self.folder / f"{config['cloud']}-{port}.yaml")
        return self.keep(Haproxy(Path(config["haproxy"]["directory"]), port)), gateway


class Many(Scene):
    """A cloud with many peers of the same owner, and the same with two; each peer at an address of its own.

    Args:
        counts: how many peers.
    """

    def __init__(self, *counts: int) -> None:
        self._counts = counts

    def begin(self) -> None:
        """Start all of it."""
        short(self.folder)
        self.haproxies: dict[int, Haproxy] = {}
        self.gateways: dict[int, Process] = {}
        self.variants: dict[int, Variant] = {}
        self.folders: dict[int, Path] = {}
        self.port, bare = ports(2)
        authority = Authority(self.folder)
        servers = [self.start("upstream", self.port, "bench.upstream", str(self.port), str(max(self._counts)))]
        for count in self._counts:
            (front, admin), folder = ports(2), self.folder / str(count)
            peers = {f"Cloud{number}": f"http://{address(number)}:{self.port}" for number in range(count)}
            config = clouds.shared("CloudOne", {"compute": front}, {"compute": self.port}, peers)
            for peer in config["peers"].values():
                peer["services"] = dict.fromkeys(MANY_KINDS, peer["url"])
            config["haproxy"] = {"gateway": BEHIND, "directory": str(folder), "threads": 1, "log": "none"}
            config["admin"] = {"listen": f"127.0.0.1:{admin}"}
            config["ca"] = str(authority.file)
            gateway = self.gateways[count] = self.gateway(config)
            configure(self.folder / f"CloudOne-{front}.yaml")
            self.haproxies[count] = self.keep(Haproxy(folder, front))
            self.folders[count] = folder
            servers += [gateway, self.haproxies[count]]
            tokens = tuple(f'{TOKENS[n % 20]}!SCOPE!{{"compute":"{name}"}}' for n, name in enumerate(peers))
            self.variants[count] = Variant(f"{count} clouds", front, (self.haproxies[count],), {}, tokens)
        servers[0].wait()
        self.plain = self.keep(plain(self.folder / "bare", bare, self.port))
        for server in (*servers, self.plain):
            server.wait()
        for count, folder in self.folders.items():
            end = time.monotonic() + 30
            while len((folder / "peers.map").read_text().splitlines()) < count * len(MANY_KINDS):
                if time.monotonic() > end:
                    raise SystemExit("bench: the gateway does not tell HAProxy where its peers are")
                time.sleep(0.05)

    def renew(self) -> None:
        """Other workers, in other memory; they have yet to learn."""
        _renew(*self.haproxies.values())

    def again(self, count: int) -> float:
        """Stop HAProxy and start it; seconds until it answers."""
        fresh, took = self._restarted(self.haproxies[count])
        self.haproxies[count] = fresh
        old = self.variants[count]
        self.variants[count] = Variant(old.name, old.port, (fresh,), old.headers, old.tokens)
        return took

    def plain_again(self) -> float:
        """The same of plain HAProxy."""
        self.plain, took = self._restarted(self.plain)
        return took

    def _restarted(self, haproxy: Haproxy) -> tuple[Haproxy, float]:
        haproxy.stop()
        fresh = self.keep(Haproxy(haproxy.folder, haproxy.port))
        fresh.wait()
        return fresh, time.monotonic() - fresh.began


def _renew(*haproxies: Haproxy) -> None:
    for haproxy in haproxies:
        haproxy.reload()
    time.sleep(0.5)  # the gateway looks five times a second which worker there is


def requests(admin: int) -> float:
    """Requests that a gateway served."""
    with contextlib.closing(urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=5)) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("openstackoid_request_seconds_count"))


def changed(config: Path, **more: Any) -> None:
    """Change a section of a configuration."""
    document = json.loads(config.read_text())
    config.write_text(json.dumps(document | more))


def _secure(url: str) -> str:
    return url.replace("http:", "https:")
