"""HAProxy for the benchmark: as `openstackoid haproxy render` has it, and plain, as an operator without OpenStackoïd runs it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench import cores
from bench.stage import Process
from openstackoid.haproxy.plan import ADMIN, CONFIGURATION
from openstackoid.lab import certificates

_LONGEST: Final = 80  # characters of a folder: sockets have 107, and HAProxy makes them under a longer name first

# The baseline: the same limits, buffers and way of using connections again, and nothing of ours.
PLAIN: Final = """\
global
  stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
  log stderr format raw local1 notice
  nbthread 1
  tune.bufsize 32768
  tune.maxrewrite 8192
  close-spread-time 1s
  hard-stop-after 30s

defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 30s
  timeout http-keep-alive 60s
  timeout check 5s
  option splice-response
  http-reuse {reuse}

frontend front
  bind 127.0.0.1:{port}{tls}
{logging}  default_backend service

backend service
  server service 127.0.0.1:{upstream}{far} check inter 2s pool-purge-delay {purge}
"""
LOGGED: Final = "  log stdout format raw daemon info\n  option httplog\n"


class Haproxy(Process):
    """A running HAProxy with one thread, and the master that an operator needs for reloads."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.began = folder, time.monotonic()
        program = shutil.which("haproxy", path=f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin")
        if program is None:
            raise SystemExit("bench: expected the program haproxy, 2.6 or later: apt-get install haproxy")
        command = [program, "-W", "-S", str(folder / "master.sock"), "-f", str(folder / CONFIGURATION)]
        super().__init__(folder / "log", port, *command)
        cores.put(self._process.pid)
        self._worker = 0

    def wait(self) -> None:
        """Until its worker answers."""
        end = time.monotonic() + 15
        while self._process.poll() is None and time.monotonic() < end:
            if self.worker():
                return
            time.sleep(0.0005)
        self.stop()
        raise SystemExit(f"bench: HAProxy did not start:\n{self._log.read_text()}")

    def worker(self) -> int:
        """Process id of the worker; 0 if there is none yet."""
        try:
            info = dict(line.partition(": ")[::2] for line in self.tell("show info").splitlines())
        except OSError:
            return 0
        self._worker = int(info.get("Pid", 0))
        return self._worker

    def reload(self) -> None:
        """Have the master start another worker, in other memory, and wait until it answers."""
        before, end = self.worker(), time.monotonic() + 15
        self.tell("reload", "master.sock")
        while self.worker() in (before, 0):
            if time.monotonic() > end:
                raise SystemExit(f"bench: HAProxy did not reload:\n{self._log.read_text()}")
            time.sleep(0.01)

    def tell(self, command: str, name: str = ADMIN) -> str:
        """What the admin socket, or the master's, answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self.folder / name))
            connection.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()

    def cpu(self) -> float:
        """Seconds of CPU of the worker, to the nanosecond: its one thread is all of it."""
        return int(Path(f"/proc/{self._worker}/schedstat").read_text().split()[0]) / 1e9

    def memory(self) -> int:
        """Bytes of the worker in memory, libraries included."""
        fields = Path(f"/proc/{self._worker}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def plain(
    folder: Path,
    port: int,
    upstream: int,
    *,
    certificate: Path | None = None,
    far: tuple[Path, str] | None = None,
    log: bool = False,
) -> Haproxy:
    """HAProxy without us.

    Args:
        folder: for its configuration and sockets; made.
        port: where it listens.
        upstream: port of the service.
        certificate: with which it speaks TLS to clients.
        far: who signs, and the name, if the service speaks TLS: then another cloud, to which connections are shared and kept.
        log: whether it writes a line a request.
    """
    folder.mkdir()
    (folder / CONFIGURATION).write_text(
        PLAIN.format(
            folder=folder,
            port=port,
            upstream=upstream,
            tls=f" ssl crt {certificate}" if certificate else "",
            far=f" ssl verify required ca-file {far[0]} sni str({far[1]}) check-sni {far[1]}" if far else "",
            reuse="always" if far else "safe",
            purge="60s" if far else "3s",
            logging=LOGGED if log else "",
        )
    )
    return Haproxy(folder, port)


def configure(config: Path, action: str = "render") -> None:
    """`openstackoid haproxy render` or `apply`."""
    command = [sys.executable, "-m", "openstackoid", "haproxy", action, "--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SystemExit(f"bench: openstackoid haproxy {action}: {done.stdout}{done.stderr}")


def short(folder: Path) -> Path:
    """A folder whose name leaves room for sockets."""
    if len(str(folder)) > _LONGEST:
        raise SystemExit(f"bench: {folder} is too long for the name of a socket: set TMPDIR to a shorter one")
    return folder


class Authority:
    """Who signs the certificates of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._now = datetime.now(UTC)
        self.file = folder / "ca.crt"
        self._signer = certificates.authority(self.file, folder / "ca.key", self._now)

    def pair(self, name: str) -> dict[str, str]:
        """PEM files for a DNS name, as in a `tls` section; and `both` in one, as HAProxy reads them."""
        files = {kind: self._folder / f"{name}.{kind}.pem" for kind in ("certificate", "key", "both")}
        certificates.ensure(files["certificate"], files["key"], self._signer, name, "127.0.0.1", self._now)
        files["both"].write_bytes(files["certificate"].read_bytes() + files["key"].read_bytes())
        return {kind: str(file) for kind, file in files.items()}
