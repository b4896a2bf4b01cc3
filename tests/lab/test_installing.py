"""uv installs from where pip would: a mirror behind an authority of its own, which is nowhere but in pip's configuration."""

import base64
import hashlib
import os
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from uv import find_uv_bin

from openstackoid.lab import certificates, installing

NAME = "of_the_mirror"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """An index of one package, over TLS."""
    folder = tmp_path / "simple" / NAME.replace("_", "-")
    folder.mkdir(parents=True)
    wheel = folder / f"{NAME}-1.0-py3-none-any.whl"
    about = f"{NAME}-1.0.dist-info"
    files = {
        f"{NAME}.py": "",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        digests = {
            name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            for name, text in files.items()
        }
        record = [f"{name},sha256={digests[name]},{len(text)}" for name, text in files.items()]
        archive.writestr(f"{about}/RECORD", "\n".join([*record, f"{about}/RECORD,,", ""]))
    (folder / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    signer = certificates.authority(tmp_path / "ca.crt", tmp_path / "ca.key", datetime.now(UTC))
    certificate, key = tmp_path / "mirror.crt", tmp_path / "mirror.key"
    certificates.ensure(certificate, key, signer, "mirror.example", "127.0.0.1", datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"https://127.0.0.1:{server.server_address[1]}/simple"
    server.shutdown()
    server.server_close()


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """An environment without a word about packages."""
    words = ("PIP_", "UV_", "SSL_", "REQUESTS_", "CURL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(words)}
    folders = {name: str(tmp_path / name) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "UV_CACHE_DIR")}
    return kept | folders | {"UV_NO_CONFIG": "1", "PIP_CONFIG_FILE": os.devnull}


def installs(tmp_path: Path, env: dict[str, str], *command: str) -> bool:
    to = tmp_path / "to"
    words = [*command, "pip", "install", "-q", "--python", sys.executable, "--target", str(to), NAME]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0 or NAME in done.stderr.replace("-", "_"), done.stderr
    return (to / f"{NAME}.py").exists()


@pytest.mark.parametrize("way", ["files", "variables"])
def test_uv_installs_from_the_mirror_that_pip_knows(
    tmp_path: Path, mirror: str, bare: dict[str, str], way: str
) -> None:
    if way == "files":
        (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {mirror}\n[install]\ncert = {tmp_path}/ca.crt\n")
        env = bare | {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf")}
    else:
        env = bare | {"PIP_INDEX_URL": mirror, "PIP_CERT": str(tmp_path / "ca.crt")}
    # The fault: uv alone knows nothing of it. (Where it looks instead is not asked: the proxy is nowhere.)
    assert not installs(tmp_path, env | {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}, find_uv_bin())
    assert installs(tmp_path, env, sys.executable, "-P", str(ROOT / "src/openstackoid/lab/installing.py"))


def test_several_indexes_are_as_good_as_one(bare: dict[str, str]) -> None:
    env = bare | {
        "PIP_EXTRA_INDEX_URL": "https://one.example/simple\nhttps://two.example/simple",
        "PIP_FIND_LINKS": "/wheels /more",
        "PIP_TRUSTED_HOST": "one.example two.example",
        "PIP_PROXY": "http://proxy.example:3128",
        "PIP_TIMEOUT": "60",
    }
    found = installing.environment(env)
    assert {name: value for name, value in found.items() if env.get(name) != value} == {
        "UV_INDEX": "https://one.example/simple https://two.example/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_INSECURE_HOST": "one.example two.example",
        "ALL_PROXY": "http://proxy.example:3128",
        "UV_HTTP_TIMEOUT": "60",
        "UV_SYSTEM_CERTS": "true",
    }


def test_what_uv_is_configured_for_stays(bare: dict[str, str]) -> None:
    env = bare | {
        "PIP_INDEX_URL": "https://pip.example",
        "PIP_EXTRA_INDEX_URL": "https://more.example",
        "PIP_CERT": "/pip.crt",
        "UV_INDEX_URL": "https://uv.example",
        "UV_INDEX": "https://other.example",
        "UV_INDEX_STRATEGY": "first-index",
        "SSL_CERT_FILE": "/uv.crt",
    }
    assert installing.environment(env) == env
