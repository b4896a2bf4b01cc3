"""Three clouds with real gateways and lists of all kinds, a peer that has gone away and one that never answers."""

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from tests.gateway.lists import ROWS, FakeCloud, next_link, row, shown
from tests.gateway.wire import Cloud, Gateway, Seen, ask, nobody, reply, until

NAMES: Final = ("CloudOne", "CloudTwo", "CloudThree")
ALL: Final = "CloudOne & CloudTwo & CloudThree"
IMAGE: Final = "{:08x}-0000-4000-8000-000000000000"
COPY: Final = IMAGE.format(0xC0B1)


@dataclass
class Three:
    clouds: dict[str, Cloud]
    gateway: Gateway  # of CloudOne
    gateways: list[Gateway]
    lists: dict[tuple[str, str], FakeCloud]  # by kind of list and cloud

    def everything(self, kind: str) -> list[tuple[str, str]]:
        return sorted(
            (name, found.id(item)) for (of, name), found in self.lists.items() if of == kind for item in found.items
        )

    def asked(self, service: str, path: str) -> list[str]:
        """The clouds whose service was asked for a path."""
        return [
            name
            for name, cloud in self.clouds.items()
            for seen in cloud[service].requests
            if seen.target.startswith(path)
        ]


@contextlib.contextmanager
def three_clouds(folder: Path) -> Iterator[Three]:
    """Three clouds, each with a gateway."""
    clouds = {name: Cloud(name, paths=name != "CloudOne") for name in NAMES}
    lists = {(kind, name): items(kind, number) for kind in ROWS for number, name in enumerate(NAMES)}
    for number, (name, cloud) in enumerate(clouds.items()):
        for kind, (service, path) in ROWS.items():
            cloud[service].on(path, listed(lists[kind, name]))
        cloud["image"].on("/v2/images/", image(name, number))
    silent = socket.create_server(("127.0.0.1", 0), backlog=64)
    quiet = f"http://127.0.0.1:{silent.getsockname()[1]}"
    with nobody() as away:
        urls: dict[str, dict[str, Any]] = {
            name: {"url": clouds[name].frontends["identity"].removesuffix("/identity")} for name in NAMES
        }
        gone = dict.fromkeys(("image", "compute"), f"http://127.0.0.1:{away}")
        odd: dict[str, Any] = {
            "Dead": {"url": f"http://127.0.0.1:{away}", "services": gone},
            "Silent": {"url": quiet, "services": {"image": quiet}},
        }
        urls["CloudTwo"]["labels"] = ["edge"]
        peers = {"CloudTwo": urls["CloudTwo"], "CloudThree": urls["CloudThree"]} | odd
        saved = {"everywhere": {"image": ALL}}
        started = [
            Gateway(folder / "one", clouds["CloudOne"].config(peers=peers, scopes=saved, labels=["far"])),
            Gateway(folder / "two", clouds["CloudTwo"].config(peers={"CloudOne": urls["CloudOne"]})),
            Gateway(
                folder / "three", clouds["CloudThree"].config(peers={"CloudOne": urls["CloudOne"]}, labels=["far"])
            ),
        ]
        try:
            for gateway in started:
                gateway.ready()
            until(lambda: started[0].up() >= {"CloudTwo", "CloudThree"})
            yield Three(clouds, started[0], started, lists)
        finally:
            for gateway in started:
                gateway.end()
            codes = [gateway.stop() for gateway in started]
            silent.close()
            for cloud in clouds.values():
                cloud.close()
    assert codes == [0, 0, 0]
    assert not any("Traceback" in gateway.said for gateway in started)


def items(kind: str, number: int) -> FakeCloud:
    found: list[dict[str, Any]] = []
    for index in range(4 * number + 3):
        name, created = "abc"[(index + number) % 3], f"2030-01-0{index % 4 + 1}T00:00:00Z"
        item = {"id": f"{number}-{index:02}", "name": name, "created": created, "created_at": created}
        found.append({"keypair": {"name": item["id"]}} if kind == "keypairs" else item)
    return FakeCloud(row(kind), found)


def listed(found: FakeCloud) -> Any:
    def answer(seen: Seen, _: socket.socket) -> bytes:
        got = found.answer(seen.target.partition("?")[2])
        return reply(got.status, json.loads(got.body))

    return answer


def image(name: str, number: int) -> Any:
    """The images of a cloud: one of its own, and a copy that CloudTwo and CloudThree have."""
    mine = {IMAGE.format(number)} | ({COPY} if number else set())

    def answer(seen: Seen, _: socket.socket) -> bytes:
        wanted = seen.target.partition("?")[0].split("/")[3]
        if wanted not in mine:
            return reply(404, {"message": "no such image"})
        if seen.target.endswith("/file"):
            return reply(200, (name * 20000).encode(), {"Content-Type": "application/octet-stream"})
        return reply(200, {"id": wanted, "name": name, "odd": 1e400}, {"ETag": name})

    return answer


def places(kind: str, answer: Any) -> list[tuple[str, str]]:
    names, _, runs = str(answer.get("X-Scope-Items")).partition(";")
    clouds: list[str] = []
    for run in runs.split():
        index, _, count = run.partition("*")
        clouds += [names.split()[int(index)]] * int(count or 1)
    ids = [str(shown(item, row(kind).marker)) for item in answer.json[row(kind).items]]
    return list(zip(clouds, ids, strict=True))


def walked(three: Three, kind: str, url: str, given: dict[str, str], *, by_id: bool) -> list[tuple[str, str]]:
    base, found = three.gateway.url(ROWS[kind][0]), []
    first = asked = url.removeprefix(base)
    while True:
        answer = ask(base, asked, given)
        assert (answer.status, answer.get("X-Scope-Missing")) == (200, None), answer.body
        here = places(kind, answer)
        found += here
        link = next_link(row(kind), answer.json)
        if by_id:
            if not here:
                return found
            path, _, query = first.partition("?")
            asked = f"{path}?{urlencode([*parse_qsl(query), ('marker', here[-1][1])])}"
        elif link is None:
            return found
        else:
            # Links lead to this gateway; those of glance begin at the version.
            assert link.startswith((base, "/v2/"))
            asked = link.removeprefix(base)
