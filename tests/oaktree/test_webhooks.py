"""Webhooks: an address of the configuration is told when an operation has ended, signed, and until it accepts that; a server that is killed loses none."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.oaktree.making import Cloud
from tests.oaktree.process import SLOW, drain, serving
from tests.oaktree.test_killed import Hold, killed
from tests.oaktree.upstream import Handler, Seen, Upstream, reply, until, upstream

from openstackoid.core.errors import ConfigError
from openstackoid.oaktree.config import load
from openstackoid.oaktree.webhooks.sending import pause
from openstackoid.oaktree.wiring import Parts

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


def accept(*_: Any) -> bytes:
    return reply(204)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "hook.key"
    file.write_text(f"{SECRET}\n")
    return file


def hook(receiver: Upstream, secret: Path, name: str = "ci", **more: Any) -> dict[str, Any]:
    return {"name": name, "url": f"{receiver.url}/hook?a=1", "secret": str(secret), **more}


@pytest.fixture
def receiver() -> Iterator[Upstream]:
    with upstream(accept) as made:
        yield made


def read(seen: Seen) -> dict[str, Any]:
    """A notice, whose signature is verified by the specification alone."""
    signed = f"{seen.headers['webhook-id']}.{seen.headers['webhook-timestamp']}.".encode() + seen.body
    wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert seen.headers["webhook-signature"] == f"v1,{wanted}"
    assert abs(time.time() - int(seen.headers["webhook-timestamp"])) < 600
    document: dict[str, Any] = json.loads(seen.body)
    return document


def parts(document: dict[str, Any]) -> dict[str, str]:
    return {part["location"]["cloud"]: part["stage"] for part in document["data"]["operation"]["parts"]}


def test_the_end_of_an_operation_is_told_once_and_signed(
    tmp_path: Path, ours: dict[str, Cloud], receiver: Upstream, secret: Path
) -> None:
    with upstream(accept) as others:
        hooks = [hook(receiver, secret), hook(others, secret, "others", callers=["certificate:somebody"])]
        with serving(tmp_path, ours, webhooks=hooks) as server:
            answers = list(server.create("key"))
            until(lambda: receiver.seen, SLOW)
            list(server.create("again"))
            until(lambda: len(receiver.seen) > 1, SLOW)
        assert not others.seen
    first, second = receiver.seen
    document = read(first)
    assert (first.method, first.target, first.headers["content-type"]) == ("POST", "/hook?a=1", "application/json")
    assert document["type"] == "operation.done"
    assert document["data"]["caller"] == "local"
    assert document["data"]["operation"]["id"] == answers[0].progress.operation_id
    assert document["data"]["operation"]["idempotency_key"] == "key"
    assert parts(document) == {"One": "STAGE_CREATED", "Two": "STAGE_CREATED"}
    assert read(second)["data"]["operation"]["idempotency_key"] == "again"
    # Neither the server's password nor the signature's secret.
    assert b"made-up-Secret" not in first.body
    assert SECRET not in "".join(file.read_text() for file in tmp_path.glob("*.log"))


def test_a_failure_and_a_redirect_are_tried_again_and_lead_nowhere_else(
    tmp_path: Path, ours: dict[str, Cloud], receiver: Upstream, secret: Path
) -> None:
    with upstream(accept) as elsewhere:
        answers = [reply(500), reply(307, b"", {"Location": f"{elsewhere.url}/x"}), None, reply(200)]
        handler: Handler = lambda *_: answers[min(len(receiver.seen), len(answers)) - 1]  # noqa: E731
        receiver.handler = handler
        with serving(tmp_path, ours, webhooks=[hook(receiver, secret)]) as server:
            list(server.create("key"))
            until(lambda: len(receiver.seen) >= 4, 2 * SLOW)
        assert not elsewhere.seen
    assert len({seen.headers["webhook-id"] for seen in receiver.seen}) == 1
    assert len({seen.body for seen in receiver.seen}) == 1
    assert all(read(seen) for seen in receiver.seen)


def test_a_killed_server_tells_it_after_its_start(
    tmp_path: Path, ours: dict[str, Cloud], receiver: Upstream, secret: Path
) -> None:
    receiver.handler = lambda *_: None  # accepts nothing
    with serving(tmp_path, ours, webhooks=[hook(receiver, secret)]) as server:
        list(server.create("key"))
        until(lambda: receiver.seen, SLOW)
        server.kill()
        tried = len(receiver.seen)
        receiver.handler = accept
        server.start()
        until(lambda: len(receiver.seen) > tried, SLOW)
    assert read(receiver.seen[-1])["data"]["operation"]["idempotency_key"] == "key"
    assert len({seen.headers["webhook-id"] for seen in receiver.seen}) == 1


def test_an_operation_whose_server_died_is_told_as_interrupted_and_then_as_done(
    tmp_path: Path, ours: dict[str, Cloud], receiver: Upstream, secret: Path
) -> None:
    ours["Two"].before = hold = Hold()
    with serving(tmp_path, ours, webhooks=[hook(receiver, secret)]) as server:
        with killed(server, call := server.create("key"), hold):
            assert not receiver.seen
        until(lambda: receiver.seen, SLOW)
        interrupted = read(receiver.seen[0])
        assert interrupted["type"] == "operation.interrupted"
        assert parts(interrupted) == {"One": "STAGE_CREATED", "Two": "STAGE_SENT"}
        # Its caller asks, which determines the outcome.
        until(lambda: server.stages("key") and server.is_done, SLOW)
        until(lambda: len(receiver.seen) > 1, SLOW)
        drain(call)
    done = read(receiver.seen[1])
    assert done["type"] == "operation.done"
    assert parts(done) == {"One": "STAGE_CREATED", "Two": "STAGE_CREATED"}
    assert len({seen.headers["webhook-id"] for seen in receiver.seen}) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "http://192.0.2.1/x"}, "webhooks.0.url: expected https, or a loopback address"),
        ({"url": "ftp://127.0.0.1/x"}, "webhooks.0.url: expected https://HOST/..."),
        ({"url": "https://a:b@example.org/"}, "webhooks.0.url: expected no user and password"),
        ({"name": "a b"}, "webhooks.0.name"),
        ({"secret": "not-there"}, "No such file"),
        ({"ca": "not-there"}, "No such file"),
    ],
)
async def test_a_wrong_configuration_is_refused(
    tmp_path: Path, secret: Path, change: dict[str, Any], message: str
) -> None:
    file = tmp_path / "oaktree.yaml"
    webhook = {"name": "ci", "url": "https://ci.example/x", "secret": secret.name, **change}
    file.write_text(yaml.safe_dump({"webhooks": [webhook], "clouds": str(empty(tmp_path))}))
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        Parts.of(load(file))


async def test_a_secret_that_is_none_is_refused_and_not_shown(tmp_path: Path, secret: Path) -> None:
    file = tmp_path / "oaktree.yaml"
    webhook = {"name": "ci", "url": "https://ci.example/x", "secret": secret.name}
    file.write_text(yaml.safe_dump({"webhooks": [webhook], "clouds": str(empty(tmp_path))}))
    for wrong in ("c2VjcmV0", "whsec_!", "whsec_c2VjcmV0", "whsec_" + base64.b64encode(bytes(65)).decode()):
        secret.write_text(wrong)
        with pytest.raises(ConfigError, match='expected "whsec_" and base64 of 24 to 64 bytes') as error:
            Parts.of(load(file))
        assert wrong.removeprefix("whsec_") not in str(error.value)


def empty(folder: Path) -> Path:
    clouds = folder / "clouds.yaml"
    clouds.write_text("clouds: {}\n")
    return clouds


def test_pauses_grow_to_ten_minutes_and_the_attempts_last_for_a_day() -> None:
    pauses = [pause(attempts) for attempts in range(150)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 600)
    assert 20 * 3600 < sum(pauses) < 28 * 3600
