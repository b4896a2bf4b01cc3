"""An honest cloud that has federated with the malicious peer: behind the gateway alone, or with the real HAProxy in front."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.conftest import federated
from tests.gateway.owners import Owner
from tests.gateway.wire import Answer, Gateway, ask, unasked, until
from tests.haproxy.test_traps import fresh
from tests.haproxy.world import Authority, Fronted, wrote_no_secret
from tests.hostile.programs import Peer

from openstackoid.haproxy import maps

# What Mallory's users may do in the honest cloud, unless a test says otherwise.
ALLOW = {"services": ["image", "compute", "network"], "projects": "each:default"}


@dataclass
class Honest:
    """The honest cloud and one of its users."""

    cloud: Owner
    gateway: Gateway
    mallory: Peer
    user: str  # a token of alice, a member here

    @property
    def proxied(self) -> Fronted | None:
        """The cloud, if HAProxy is in front."""
        return self.cloud if isinstance(self.cloud, Fronted) else None

    def url(self, kind: str = "image") -> str:
        """Where its users ask."""
        return self.cloud.frontends[kind]

    def ask(self, path: str, kind: str = "image", headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
        """A user's request that goes to the peer, unless a scope is given."""
        given = {"X-Scope": f'{{"{kind}":"{self.mallory.name}"}}'} | dict(headers or {})
        return ask(self.url(kind), path, given, token=more.pop("token", self.user), **more)

    @contextlib.contextmanager
    def services_restored(self) -> Iterator[None]:
        """Its own services record what comes from here on, and answer at the end as they do now."""
        services = self.cloud.services.values()
        before = [(service, dict(service.handlers), set(service.early)) for service in services]
        for service in services:
            service.requests.clear()
        try:
            yield
        finally:
            for service, handlers, early in before:
                service.handlers, service.early = handlers, early

    def straight(self, kind: str = "image", token: str | None = None) -> dict[str, str]:
        """A scope that leads to the peer. With HAProxy: one that it has learned, so that image data goes straight; the peer must answer 200."""
        token = token or self.user
        scope = {kind: self.mallory.name} | unasked(self.cloud.name)
        headers = {"X-Scope": json.dumps(scope, separators=(",", ":"))}
        if self.proxied is None or kind != "image":
            return headers
        text, proxy = headers["X-Scope"], self.proxied.proxy

        def known() -> bool:
            assert ask(self.url(kind), fresh(), headers, token=token).status == 200
            # Both are needed: the token is taught at once, the peer's address when it has been looked up.
            return maps.user(token, text) in proxy.tokens and f"{self.mallory.name}|{kind}" in proxy.peers

        until(known)
        return headers

    def agreed(self) -> bool:
        """Whether the gateway sees the peer as usable."""
        base = self.proxied.alone("image") if self.proxied else self.url()
        told = ask(base, "/openstackoid/v1/peers", token=None).json["peers"]
        (peer,) = [each for each in told if each["name"] == self.mallory.name]
        return bool(peer["state"] == "up" and peer["agreement"]["theirs"] == "active")


@contextlib.contextmanager
def alone(
    folder: Path,
    mallory: Peer,
    signer: Authority,
    allow: Any = None,
    name: str = "CloudOne",
    more: Mapping[str, Any] | None = None,
    **trust: Any,
) -> Iterator[Honest]:
    """Behind the gateway alone; `more` is for the configuration's top level, the rest for its `trust`."""
    cloud = Owner(name, folder / name)
    peers = {mallory.name: mallory.entry(allow or ALLOW)}
    top = {"ca": str(signer.file)} | dict(more or {})
    with federated({cloud: {"peers": peers, "more": top, "recheck": 300} | trust}) as started:
        made = Honest(cloud, started[cloud], mallory, cloud.keystone.issue("alice", "member", "reader"))
        until(made.agreed)
        yield made


@contextlib.contextmanager
def proxied(
    folder: Path,
    mallory: Peer,
    signer: Authority,
    allow: Any = None,
    name: str = "CloudTwo",
    more: Mapping[str, Any] | None = None,
    **trust: Any,
) -> Iterator[Honest]:
    """With HAProxy in front; the same."""
    cloud = Fronted(name, folder / name)
    top = {"ca": str(signer.file)} | dict(more or {})
    cloud.start({mallory.name: mallory.entry(allow or ALLOW)}, more=top, **({"recheck": 300} | trust))
    try:
        cloud.ready()
        made = Honest(cloud, cloud.gateway, mallory, cloud.keystone.issue("alice", "member", "reader"))
        until(made.agreed)
        yield made
        metrics = ask(cloud.gateway.admin, "/metrics", token=None).body.decode()
    finally:
        cloud.stop()
    wrote_no_secret(cloud, more=[metrics])
