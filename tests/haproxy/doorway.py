"""A cloud with HAProxy at whose door users of another one ask, with tokens that a test makes as it likes."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.owners import Owner
from tests.gateway.wire import Answer, Seen, ask, until
from tests.haproxy.world import Fronted, wrote_no_secret

from openstackoid.haproxy import image_downloads
from openstackoid.haproxy.plan import VISITORS
from openstackoid.trust.grants import Grant
from openstackoid.trust.rules import Rule
from openstackoid.trust.store import Store

IMAGES = Grant(services=("image",))
DATA = os.urandom(200_000)
FILE = "/v2/images/6b8e1f0a-3c5d-4e2f-9a7b-0123456789ab"  # an image; its data is below


def request_id() -> str:
    return f"req-{uuid.uuid4()}"


def fresh() -> str:
    return f"/v2/images/{uuid.uuid4()}/file"


def rule(path: str, method: str = "GET", service: str = "image") -> dict[str, Any]:
    return {"rules": (Rule(service, method, path),)}


@dataclass
class Door:
    """CloudTwo with HAProxy, at whose door users of CloudOne ask; CloudOne itself is only its keys."""

    two: Fronted
    one: Owner
    store: Store

    def token(self, **changed: Any) -> str:
        return self.one.token(self.two, **changed)

    def get(self, token: str, path: str, headers: dict[str, str | None] | None = None, method: str = "GET") -> Answer:
        """As CloudOne's HAProxy sends it, but for what is given."""
        given = {"X-Openstackoid-Hops": "CloudOne", "X-Openstack-Request-Id": request_id()} | dict(headers or {})
        kept = {name: value for name, value in given.items() if value is not None}
        return ask(self.two.peering, f"/image{path}", kept, method=method, token=token)

    def known(self, token: str) -> bool:
        return image_downloads.key(token, "CloudOne") in self.map

    @property
    def map(self) -> dict[str, str]:
        return self.two.proxy.map(VISITORS)

    def learn(self, token: str | None = None, path: str = "/v2/images/x") -> str:
        """A visitor whom HAProxy knows."""
        token = token or self.token()

        def taught() -> bool:
            assert self.get(token, path).status == 200
            return self.known(token)

        until(taught)
        return token

    def straight(self, token: str, path: str | None = None, headers: dict[str, str | None] | None = None) -> Seen:
        """A request that did not meet the gateway, as the service saw it."""
        path = path or fresh()
        assert self.get(token, path, headers).status == 200
        assert not self.two.passed(path)
        return self.two["image"].seen(path)

    def passes(self, token: str, path: str | None = None, headers: dict[str, str | None] | None = None) -> Answer:
        """A request that did meet it."""
        path = path or fresh()
        answer = self.get(token, path, headers)
        assert self.two.passed(path)
        return answer

    def agree(self, grant: Grant) -> None:
        if grant != IMAGES:
            self.learn()  # that it is forgotten shows that the change was heard
        self.store.change("CloudOne", "allow", "operator", grant)
        token = self.token()

        def heard() -> bool:
            self.get(token, "/v2/images/x")
            return not self.map

        if grant == IMAGES:
            until(lambda: self.get(token, "/v2/images/x").status == 200)
            self.learn(token)
        else:
            until(heard)


def never(at: Door, token: str, statuses: set[int], headers: dict[str, str | None] | None = None) -> None:
    for _ in range(3):
        path = fresh()
        assert at.get(token, path, headers).status in statuses
        assert at.two.passed(path)
        assert not at.known(token)


def opened(folder: Path, workers: int = 1, recheck: int = 300) -> Door:
    two, one = Fronted("CloudTwo", folder / "two"), Owner("CloudOne", folder / "one")
    store = two.store
    store.add("CloudOne", one.peering, one.keys.fingerprint, IMAGES, "operator")
    store.change("CloudOne", "allow", "operator", IMAGES)
    one.seen_by(two)
    two.start({}, workers=workers, recheck=recheck)
    two.ready()
    return Door(two, one, store)


def closed(made: Door) -> None:
    made.two.stop()
    made.store.close()
    made.one.close()
    wrote_no_secret(made.two)
