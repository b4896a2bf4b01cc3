"""The data of an image goes to all members of its replica in one pass."""

import hashlib
import json
import socket
from typing import Any

import pytest
from multidict import CIMultiDict
from tests.gateway.replicated import ALL, NAMES, World, send
from tests.gateway.wire import Answer, Seen, ask, reply, scope, until

from openstackoid.core.partial import read_members
from openstackoid.gateway.fanout.asking import Reply
from openstackoid.gateway.replicas.asking import reason

DATA = bytes(range(256)) * 20_000  # 5 MB


@pytest.fixture
def image(trio: World) -> str:
    answer = send(trio, "POST", "/v2/images", {"name": "data", "disk_format": "raw", "container_format": "bare"})
    assert answer.status == 201
    return str(answer.json["id"])


def upload(trio: World, image: str, data: bytes = DATA, **headers: str) -> Answer:
    given = scope(image=ALL) | {"Content-Type": "application/octet-stream"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(trio.gateway.url("image"), f"/v2/images/{image}/file", given, method="PUT", body=data)


def takes(trio: World, name: str, answer: bytes) -> list[bytes]:
    """Let the image service of a cloud take data; returns the digests of what came."""
    digests: list[bytes] = []

    def before(seen: Seen, _name: str) -> bytes | None:
        if seen.method != "PUT" or not seen.target.endswith("/file"):
            return None
        digests.append(hashlib.sha256(seen.raw).digest())
        return answer

    trio.states[name].before = before
    return digests


@pytest.mark.parametrize("data", [DATA, b"small"], ids=["large", "small"])
def test_all_clouds_get_the_data(trio: World, image: str, data: bytes) -> None:
    came = [takes(trio, name, reply(204)) for name in NAMES]
    answer = upload(trio, image, data)
    assert (answer.status, answer.body, answer.get("X-Scope-Missing")) == (204, b"", None)
    assert came == [[hashlib.sha256(data).digest()]] * 3
    assert set(read_members(str(answer.get("X-Scope-Replicas")))) == set(NAMES)


def test_a_cloud_that_refuses_is_named_and_the_others_finish(trio: World, image: str) -> None:
    came = [takes(trio, name, reply(204)) for name in NAMES]
    takes(trio, "CloudTwo", reply(413, {"message": "the image is too large"}))
    answer = upload(trio, image)
    assert (answer.status, answer.code) == (409, "replica.refused")
    assert "CloudTwo answered 413: the image is too large" in answer.error
    assert "complete in CloudOne, CloudThree" in answer.error
    assert came[0] == came[2] == [hashlib.sha256(DATA).digest()]


def test_a_client_may_keep_what_arrived(trio: World, image: str) -> None:
    for name in NAMES:
        takes(trio, name, reply(204))
    takes(trio, "CloudOne", reply(503, {"message": "away"}))
    answer = upload(trio, image, X_Scope_On_Failure="keep")
    assert (answer.status, answer.get("X-Scope-Cloud")) == (204, "CloudThree")
    assert answer.get("X-Scope-Missing") == "CloudOne;code=status.503"


def test_a_cloud_that_answers_before_it_has_all_holds_nobody_up(trio: World, image: str) -> None:
    came = [takes(trio, name, reply(204)) for name in NAMES]
    path = f"/v2/images/{image}/file"
    early = reply(409, {"message": "it has data"}, {"Connection": "close"})
    trio.clouds["CloudThree"]["image"].on(path, early, early=True)
    answer = upload(trio, image)
    assert answer.status in {409, 502}, "a connection that was closed early may hide the answer"
    assert "CloudThree" in answer.error
    assert came[0] == came[1] == [hashlib.sha256(DATA).digest()]


def test_a_client_that_goes_away_ends_all_uploads(trio: World, image: str) -> None:
    for name in NAMES:
        takes(trio, name, reply(204))
    host, _, port = trio.gateway.url("image").removeprefix("http://").partition(":")
    lines = [f"PUT /v2/images/{image}/file HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {len(DATA)}"]
    lines += [f"{name}: {value}" for name, value in (scope(image=ALL) | {"X-Auth-Token": "t"}).items()]
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + DATA[: len(DATA) // 2])
        until(lambda: all(_uploads(trio, name, image) for name in NAMES))
    for name in NAMES:
        [seen] = _uploads(trio, name, image)
        assert seen.gone.wait(60)
        assert not seen.whole


def _uploads(trio: World, name: str, image: str) -> list[Seen]:
    return trio.clouds[name]["image"].all(f"/v2/images/{image}/file")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"message": "no"}, ": no"),
        ({"message": "no", "code": 403}, ": no"),
        ({"forbidden": {"message": "no", "code": 403}}, ": no"),
        ({"message": {"message": "no"}}, ": no"),
        ({"message": ["no"]}, ""),
        ({"message": "n\no"}, ""),
        ({"forbidden": "no"}, ""),
        (["no"], ""),
        ({}, ""),
    ],
)
def test_a_refusal_is_told_in_the_cloud_s_own_words(document: Any, why: str) -> None:
    answer = Reply(403, CIMultiDict(), json.dumps(document).encode())
    assert reason(answer, "CloudTwo") == f"CloudTwo answered 403{why}"
