"""What a gateway refuses at its start, `gateway check` refuses with the same words: it is the same check."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from openstackoid.cli import main
from openstackoid.core.errors import OpenStackoidError
from openstackoid.gateway import serve
from openstackoid.trust import key_files

Change = Callable[[Path, dict[str, Any]], object]


def pair(folder: Path, name: str) -> dict[str, str]:
    issued = trustme.CA().issue_cert("one.example")
    issued.private_key_pem.write_to_path(folder / f"{name}.key")
    issued.cert_chain_pems[0].write_to_path(folder / f"{name}.crt")
    return {"certificate": f"{name}.crt", "key": f"{name}.key"}


def good(folder: Path) -> dict[str, Any]:
    key_files.create(folder / "keys.json")
    (folder / "password").write_text("secret")
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(folder / "ca.crt")
    kinds = {"identity": 15000, "image": 19292}
    account = {"auth_url": "http://127.0.0.1:1/v3", "username": "u", "password_file": "password", "project_name": "p"}
    return {
        "cloud": "CloudOne",
        "services": {
            kind: {"frontend": f"https://127.0.0.1:{port}", "backend": "http://127.0.0.1:1"}
            for kind, port in kinds.items()
        },
        "tls": pair(folder, "front"),
        "peering": {"url": "https://127.0.0.1:18443", "tls": pair(folder, "peering")},
        "ca": "ca.crt",
        "trust": {"keys": "keys.json", "database": "sqlite:///trust.sqlite", "account": account},
        "admin": {"listen": "127.0.0.1:18700"},
        "audit": "audit.jsonl",
    }


def another_key(folder: Path, _: dict[str, Any]) -> None:
    (folder / "peering.key").write_text((folder / "front.key").read_text())


CHANGES: dict[str, tuple[Change, str]] = {
    "keys that others can read": (
        lambda folder, _: (folder / "keys.json").chmod(0o644),
        "others can read it (mode 644); expected 600",
    ),
    "no keys": (lambda folder, _: (folder / "keys.json").write_text("{}"), "expected keys as openstackoid key new"),
    "a database of no kind": (
        lambda _, document: document["trust"].update(database="oracle://x"),
        "trust.database: expected sqlite:///FILE",
    ),
    "a folder that is missing": (
        lambda _, document: document["trust"].update(database="sqlite:///none/trust.sqlite"),
        "trust.database: no such folder: ",
    ),
    "a variable that is empty": (
        lambda _, document: document["trust"].pop("database") and document["trust"].update(database_env="NONE"),
        "trust.database_env: the variable NONE is empty",
    ),
    "a key of another certificate": (another_key, "peering.tls.certificate: "),
    "no certificate": (lambda folder, _: (folder / "front.crt").write_text("none"), "tls.certificate: "),
    "no authorities": (lambda folder, _: (folder / "ca.crt").write_text("none"), "ca: expected certificates"),
    "a foreign address": (
        lambda _, document: document["services"]["image"].update(listen="192.0.2.1:9292"),
        "cannot listen at 192.0.2.1:9292: ",
    ),
    "a foreign address of operators": (
        lambda _, document: document.update(admin={"listen": "192.0.2.1:8700"}),
        "cannot listen at 192.0.2.1:8700: ",
    ),
    "no Keystone": (lambda _, document: document["services"].pop("identity"), "services.identity: expected"),
    "an audit without a folder": (lambda _, document: document.update(audit="none/audit.jsonl"), "audit: "),
    "a password that is no text": (
        lambda folder, _: (folder / "password").write_bytes(b"\xff"),
        "trust.account.password_file: ",
    ),
}


def test_a_configuration_that_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps(good(tmp_path)))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["gateway", "check", "--config", str(file)]) == 0
    assert "cloud CloudOne" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before, "a check changes nothing"


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_start_refuses_the_check_refuses(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, words = CHANGES[name]
    file, document = tmp_path / "gateway.yaml", good(tmp_path)
    change(tmp_path, document)
    file.write_text(json.dumps(document))
    assert main(["gateway", "check", "--config", str(file)]) == 1
    told = capsys.readouterr().err
    assert words in told
    with pytest.raises(OpenStackoidError) as refused:
        serve.run(file, shared=False, tell=lambda _: None)
    assert told == f"openstackoid: {refused.value}\n"
