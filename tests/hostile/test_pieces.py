"""Answers whose head is longer than the next one on their way can take: the cloud that answered is named, and its header.

And a token exchange whose answer comes in two pieces.
"""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.conftest import federated
from tests.gateway.owners import Owner
from tests.gateway.wire import Answer, Cloud, Gateway, Seen, Upstream, ask, reply, scope, until
from tests.haproxy.world import Authority
from tests.hostile.programs import Peer, Visitor, Wait

from openstackoid.core import scope as scopes
from openstackoid.core.protocol import EXCHANGE_PATH

HEADS = {
    "/v2/some": {"X-Long": "y" * 20_000},
    "/v2/more": {"X-Long": "y" * 24_000},
    "/v2/much": {"X-Short": "z", "X-Long": "y" * 40_000},
    "/v2/too-much": {"X-Long": "y" * 70_000},
    "/v2/many": {f"X-{number}": "y" * 1_000 for number in range(60)},
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    def answer(seen: Seen, _: socket.socket) -> bytes:
        return reply(200, b"x", HEADS[seen.target])

    cloud, peer = Cloud("CloudOne", paths=False), Upstream(answer)
    cloud["image"].default = answer
    peers = {"CloudTwo": {"url": peer.url, "services": {"image": peer.url}}}
    made = Gateway(tmp_path_factory.mktemp("pieces"), cloud.config(peers=peers))
    try:
        until(lambda: "serving at" in made.said or made.process.poll() is not None, 60)
        yield made
    finally:
        made.end()
        made.stop()
        cloud.close()
        peer.close()


def refused(answer: Answer) -> str:
    assert (answer.status, answer.code) == (502, "peer.answer"), answer
    assert "yyy" not in answer.error
    return answer.error


@pytest.mark.parametrize(
    ("cloud", "named"), [("CloudTwo", "CloudTwo answered"), ("CloudOne", "CloudOne's image service answered")]
)
def test_a_head_that_is_too_long_names_who_answered(gateway: Gateway, cloud: str, named: str) -> None:
    def get(path: str) -> Answer:
        return ask(gateway.url("image"), path, scope(image=cloud))

    assert get("/v2/some").get("X-Long") == "y" * 20_000
    for path, size in (("/v2/more", 24_000), ("/v2/much", 40_000)):
        message = refused(get(path))
        assert message.startswith(named)
        assert f"The longest is X-Long, with {size}." in message
    assert refused(get("/v2/many")).startswith(named)
    answer = get("/v2/too-much")
    assert answer.status == 502
    assert answer.error.startswith(named.removesuffix(" answered"))
    assert "the head of its answer is not HTTP, or has a line of more than 64 KiB" in answer.error


def test_a_token_exchange_may_answer_in_two_pieces(
    tmp_path: Path, mallory: Peer, visitor: Visitor, signer: Authority
) -> None:
    third = Peer(tmp_path / "third", "CloudThree", signer)
    cloud = Owner("CloudOne", tmp_path / "one")
    peers = {peer.name: peer.entry({"services": ["image"]}) for peer in (mallory, third)}
    try:
        with federated({cloud: {"peers": peers, "more": {"ca": str(signer.file)}}}) as started:
            until(lambda: all(each["state"] == "up" for each in cloud.known(started[cloud]).values()))
            answer = reply(200, {"access_token": "exchanged", "expires_in": 60})
            mallory.answers(EXCHANGE_PATH, answer[:-20], Wait(0.3), answer[-20:])
            signed = scopes.parse(json.dumps({"*": mallory.name, "identity": mallory.name, "image": third.name}))
            (came,) = visitor.asks(cloud, "/image/v2/images", token=mallory.token(cloud, scope=signed))
            assert came.answer.status == 200, came.answer
            assert third.seen("/image/v2/images").get("X-Auth-Token") == "exchanged"
    finally:
        third.stop()
