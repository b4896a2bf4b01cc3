"""Real PostgreSQL and MariaDB servers of the tests' own: on loopback, in a folder that goes with them, never as root."""

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import create_engine, text
from tests.ports import free_port

PASSWORD: Final = "p@ss%word-" + secrets.token_hex(4)
_QUOTED: Final = PASSWORD.replace("%", "%25").replace("@", "%40")


@dataclass(frozen=True)
class Server:
    """A server that answers, and how to reach it."""

    kind: str
    port: int

    def url(self, database: str) -> str:
        return f"{self.kind}://openstackoid:{_QUOTED}@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """The URL of a new, empty database."""
        name = f"trust_{secrets.token_hex(6)}"
        driver = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}[self.kind]
        # MariaDB's default would be Latin 1 and careless of case: ours must not depend on it.
        more = "" if self.kind == "postgresql" else " CHARACTER SET latin1 COLLATE latin1_swedish_ci"
        where = "postgres" if self.kind == "postgresql" else "mysql"
        engine = create_engine(self.url(where).replace(self.kind, driver, 1), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}{more}"))
        engine.dispose()
        # This server has no TLS. PyMySQL reads all authorities for each connection, to offer it.
        return self.url(name) + ("?ssl_disabled=true" if self.kind == "mariadb" else "")


@contextlib.contextmanager
def postgresql() -> Iterator[Server]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = found[-1].parent if found else _folder_of("initdb", "postgresql")
    with _folder() as folder:
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = folder / "data"
        made = [programs / "initdb", "-D", data, "-U", "openstackoid", "--pwfile", password, "-A", "scram-sha-256"]
        _run(folder, *made, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        port = free_port()
        settings = (f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off")
        options = [option for setting in settings for option in ("-c", setting)]
        with _serving(folder, "QUIT", programs / "postgres", "-D", data, *options):
            yield _answering(Server("postgresql", port), "postgres", folder)


@contextlib.contextmanager
def mariadb() -> Iterator[Server]:
    install = _folder_of("mariadb-install-db", "mariadb-server-core") / "mariadb-install-db"
    program = _folder_of("mariadbd", "mariadb-server-core") / "mariadbd"
    with _folder() as folder:
        data = folder / "data"
        method = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        _run(folder, install, "--no-defaults", f"--datadir={data}", *method)
        start = folder / "start.sql"
        lines = [f"CREATE USER openstackoid@'%' IDENTIFIED BY '{PASSWORD}';", "GRANT ALL ON *.* TO openstackoid@'%';"]
        start.write_text("\n".join([*lines, ""]))  # a line a statement
        start.chmod(0o644)
        port = free_port()
        options = [
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder / 'socket'}",
            f"--init-file={start}",
        ]
        options += [f"--pid-file={folder / 'pid'}", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]
        with _serving(folder, "KILL", program, "--no-defaults", f"--datadir={data}", *options):
            yield _answering(Server("mariadb", port), "mysql", folder)


SERVERS: Final[dict[str, Callable[[], contextlib.AbstractContextManager[Server]]]] = {
    "postgresql": postgresql,
    "mariadb": mariadb,
}


def _folder_of(program: str, package: str) -> Path:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        pytest.fail(
            f"{program} is missing: these tests start servers of their own. apt-get install postgresql "
            f"mariadb-server-core mariadb-client-core (here: {package}), or make install as root",
            pytrace=False,
        )
    return Path(path).parent


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    # Not pytest's: nobody but root may look into that, and PostgreSQL refuses to be root.
    folder = Path(tempfile.mkdtemp(prefix="openstackoid-"))
    try:
        if os.getuid() == 0:
            shutil.chown(folder, "nobody")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_nobody(signal: str = "KILL") -> list[str]:
    """The words before a command: it ends with the tests, and is not root."""
    who = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
    return ["setpriv", "--pdeathsig", signal, *who]


def _run(folder: Path, *command: object) -> None:
    words = [*_as_nobody(), *map(str, command)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def _serving(folder: Path, signal: str, *command: object) -> Iterator[None]:
    words = [*_as_nobody(signal), *map(str, command)]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answering(server: Server, database: str, folder: Path) -> Server:
    end = time.monotonic() + 60
    driver = {"postgresql": "postgresql+psycopg", "mariadb": "mariadb+pymysql"}[server.kind]
    engine = create_engine(server.url(database).replace(server.kind, driver, 1))
    while True:
        try:
            engine.connect().close()
        except Exception:
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.05)
        else:
            engine.dispose()
            return server
