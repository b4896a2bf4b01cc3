"""What a test holds of the three programs: the malicious peer, its visitor, and the thief."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import commands
from tests.gateway.owners import Owner, Signer
from tests.gateway.wire import SECRETS, Answer, Seen, reply, until
from tests.haproxy.test_traps import parsed
from tests.haproxy.world import Authority
from tests.hostile import peer
from tests.ports import free_port
from tests.records import Records

from openstackoid.trust import key_files


def _start(module: str, *options: str, **more: Any) -> "subprocess.Popen[str]":
    return commands.popen([sys.executable, "-m", f"tests.hostile.{module}", *options], text=True, **more)


def _listening(port: int, process: "subprocess.Popen[str]") -> None:
    def accepts() -> bool:
        assert process.poll() is None
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(accepts)


def _stop(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait(60)


@dataclass(frozen=True)
class Send:
    """Bytes, several times, with seconds between."""

    data: bytes
    times: int = 1
    every: float = 0


@dataclass(frozen=True)
class Wait:
    """Seconds."""

    seconds: float


HOLD: dict[str, Any] = {"hold": True}  # send nothing more, until the other side closes
CLOSE: dict[str, Any] = {"close": True}  # end the connection
Step = bytes | Send | Wait | dict[str, Any]


def _written(step: Step) -> dict[str, Any]:
    match step:
        case bytes():
            return {"send": step.decode("latin-1")}
        case Send():
            return {"send": step.data.decode("latin-1"), "times": step.times, "every": step.every}
        case Wait():
            return {"wait": step.seconds}
        case _:
            return step


class Peer(Signer):
    """The malicious peer, and its keys: `token()`, `assertion()` and `statement()` sign whatever a test gives them."""

    def __init__(self, folder: Path, name: str = "Mallory", signer: Authority | None = None) -> None:
        folder.mkdir(parents=True)
        self.name = name
        self.keys = key_files.create(folder / "keys.json")
        self.secure = signer is not None
        self._script, self._record = folder / "script.json", folder / "record.jsonl"
        self._rules: list[dict[str, Any]] = []
        self._record.touch()
        self._records = Records(self._record)
        self._requests: list[Seen] = []
        self._forgotten = 0  # of them
        self.forget()
        self.port = free_port()
        self.peering = f"{'https' if signer else 'http'}://127.0.0.1:{self.port}"
        options = ["--name", name, "--port", str(self.port), "--keys", str(folder / "keys.json")]
        options += ["--script", str(self._script), "--record", str(self._record)]
        if signer:
            pair = signer.pair(self.dns)
            options += ["--certificate", pair["certificate"], "--key", pair["key"]]
        self._process = _start("peer", *options)
        _listening(self.port, self._process)

    @property
    def dns(self) -> str:
        """The name in its certificate."""
        return f"{self.name.lower()}.example"

    def entry(self, allow: Any) -> dict[str, Any]:
        return super().entry(allow) | ({"tls_name": self.dns} if self.secure else {})

    def answers(self, path: str, *steps: Step, method: str | None = None) -> None:
        """Answer requests whose target begins so, from now on. An answer to `HEAD` or of a status without a body is up to the test."""
        self._rules.append({"method": method, "path": path, "steps": [_written(step) for step in steps]})
        self._write()

    def shows(self, **changed: Any) -> None:
        """Show this document at `/.well-known/openstackoid`: the valid one, but for what is given (None leaves a field out)."""
        told = peer.document(self.name, self.peering, self.keys) | changed
        told = {key: value for key, value in told.items() if value is not None}
        self.answers("/.well-known/openstackoid", reply(200, told))

    def forget(self) -> None:
        """Be honest again."""
        self._rules.clear()
        self._write()

    def _write(self) -> None:
        fresh = self._script.with_suffix(".new")
        fresh.write_text(json.dumps({"rules": self._rules}))
        fresh.replace(self._script)

    def begin_record(self) -> None:
        """Forget all that it got."""
        self._forgotten += len(self.requests)

    @property
    def requests(self) -> list[Seen]:
        """All that it got, in order."""
        for each in self._records.lines()[len(self._requests) :]:
            seen = (each["method"], each["target"], [tuple(header) for header in each["headers"]], each["connection"])
            self._requests.append(Seen(*seen, raw=each["body"].encode("latin-1"), whole=True))
        return self._requests[self._forgotten :]

    def all(self, path: str) -> list[Seen]:
        """The requests whose target begins so."""
        return [seen for seen in self.requests if seen.target.startswith(path)]

    def seen(self, path: str) -> Seen:
        """The last of them, once there is one."""
        return until(lambda: self.all(path))[-1]

    def stop(self) -> None:
        _stop(self._process)


class Thief:
    """The listener where no token may arrive."""

    def __init__(self, folder: Path) -> None:
        self._record = folder / "thief.jsonl"
        self._record.touch()
        self.port = free_port()
        self._process = _start("thief", "--port", str(self.port), "--record", str(self._record))
        _listening(self.port, self._process)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def received(self) -> list[str]:
        """All that came."""
        time.sleep(0.05)  # what was sent just now is still on its way
        return [json.loads(line) for line in self._record.read_text().splitlines()]

    def got_nothing(self) -> None:
        """Fail if anything came since the last time."""
        received = self.received
        self._record.write_text("")
        assert received == []

    def got_no_token(self, *tokens: str) -> None:
        """Fail if a token came since the last time: one of these, the suite's own, a federated one, a mark."""
        received = "".join(self.received)
        self._record.write_text("")
        found = [secret for secret in (*SECRETS, *tokens, "gAAAAA", "eyJ") if secret in received]
        assert found == [], received

    def stop(self) -> None:
        _stop(self._process)


@dataclass(frozen=True)
class Came:
    """What came back on one connection."""

    bytes: bytes
    seconds: float
    ended: bool

    @property
    def answer(self) -> Answer:
        """As HTTP; only for one answer on a connection."""
        return parsed(self.bytes)


class Visitor:
    """The malicious visitor: raw bytes to any URL, with tokens that the peer signs."""

    def __init__(self, home: Peer) -> None:
        self.home = home
        self._process = _start("visitor", stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def sends(
        self, to: str, *pieces: bytes | str, every: float = 0, count: int = 1, read: float = 10
    ) -> Sequence[Came]:
        """The same bytes on so many connections at once: what came back on each. Let the request end the connection."""
        written = [each.decode("latin-1") if isinstance(each, bytes) else each for each in pieces]
        given = {"to": to, "pieces": written, "every": every, "count": count, "read": read}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())["answers"]
        return [Came(each["bytes"].encode("latin-1"), each["seconds"], each["ended"]) for each in told]

    def asks(
        self,
        other: Owner,
        path: str,
        *lines: str,
        token: str | None = None,
        method: str = "GET",
        body: bytes = b"",
        count: int = 1,
    ) -> Sequence[Came]:
        """A request at the other cloud's peering door (path: `/image/v2/images`), with these header lines after the usual ones."""
        token = token or self.home.token(other)
        usual = [f"X-Auth-Token: {token}", f"X-Openstackoid-Hops: {self.home.name}", "Connection: close"]
        usual += [f"Content-Length: {len(body)}"] if body else []
        head = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: door", *usual, *lines, "", ""])
        return self.sends(other.peering, head.encode("latin-1") + body, count=count)

    def stop(self) -> None:
        _stop(self._process)
