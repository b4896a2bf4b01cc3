"""`openstackoid key`: a cloud's keys, of which nothing secret is ever shown."""

import json
import stat
from pathlib import Path

from tests.operators.conftest import Desk, Done

from openstackoid.trust import key_files


def secret_parts(file: Path) -> set[str]:
    document = json.loads(file.read_text())
    found = {
        each["key"][name]
        for use in ("signing", "sealing")
        for each in document[use]
        for name in ("d", "k")
        if name in each["key"]
    }
    return found | {document[name]["k"] for name in ("pseudonyms", "inner")}


def shows_nothing_secret(done: Done, file: Path) -> None:
    assert not any(secret in done.out + done.err for secret in secret_parts(file))


def test_the_first_keys_are_made_where_the_configuration_says(desk: Desk) -> None:
    file = desk.folder / "keys.json"
    file.unlink()
    done = desk.run("key", "show")
    assert done.code == 1
    assert "keys.json" in done.err
    done = desk.run("key", "new")
    assert done.code == 0, done.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key_files.read(file).fingerprint in done.out
    shows_nothing_secret(done, file)
    again = desk.run("key", "new")
    assert again.code == 1
    assert "openstackoid key rotate" in again.err


def test_what_there_is_and_from_when(desk: Desk) -> None:
    file = desk.folder / "keys.json"
    fingerprint = key_files.read(file).fingerprint
    done = desk.run("key", "show")
    assert fingerprint in done.out
    assert desk.run("key", "show", "-f", "value", "-c", "fingerprint").out == f"{fingerprint}\n"
    shows_nothing_secret(done, file)
    told = desk.run("key", "show", "-f", "json").json
    assert told["fingerprint"] == fingerprint
    assert {(each["use"], each["state"]) for each in told["keys"]} == {("sign", "current"), ("seal", "current")}


def test_a_rotation_and_one_after_a_theft(desk: Desk) -> None:
    file = desk.folder / "keys.json"
    before = key_files.read(file).fingerprint
    done = desk.run("key", "rotate")
    assert done.code == 0, done.err
    shows_nothing_secret(done, file)
    told = desk.run("key", "show", "-f", "json").json
    assert told["fingerprint"] == before
    assert [each["state"] for each in told["keys"] if each["use"] == "sign"] == ["current", "next"]
    early = desk.run("key", "rotate")
    assert early.code == 1
    assert "--compromised" in early.err
    done = desk.run("key", "rotate", "--compromised")
    assert done.code == 0, done.err
    fresh = key_files.read(file).fingerprint
    assert fresh != before
    assert fresh in done.out
    assert "openstackoid peer trust" in done.out
    shows_nothing_secret(done, file)


def test_keys_that_are_no_file(desk: Desk) -> None:
    text = (desk.folder / "keys.json").read_text()
    desk.write(trust={"keys_env": "KEYS", "database": "sqlite:///trust.sqlite"})
    done = desk.run("key", "show", env={"KEYS": text})
    assert key_files.read(desk.folder / "keys.json").fingerprint in done.out
    for action in ("new", "rotate"):
        done = desk.run("key", action)
        assert done.code == 1
        assert "--file FILE" in done.err
    assert desk.run("key", "new", "--file", "elsewhere.json").code == 0
    assert desk.run("key", "rotate", "--file", "elsewhere.json").code == 0
