"""The hostile world. A test says what the peer answers, asks as a user or as a visitor, and looks at who got what:

    def test_no_redirect_leads_away(honest: Honest, thief: Thief) -> None:      # runs twice: gateway alone, and HAProxy in front
        headers = honest.straight("image")              # with HAProxy: the scope is learned, image data goes the straight way
        honest.mallory.answers("/image/v2/x", reply(302, headers={"Location": thief.url}))
        answer = honest.ask("/v2/x", headers=headers)
        assert refusal(answer) == (502, "peer.foreign_url")
        assert honest.mallory.seen("/image/v2/x").get("X-Service-Token") is None

    def test_rules(honest: Honest, visitor: Visitor) -> None:
        (came,) = visitor.asks(honest.cloud, "/image/v2/images", token=visitor.home.token(honest.cloud, roles=("admin",)))
        assert came.answer.status == 200

- `mallory`: the malicious peer (`programs.Peer`; the program is `peer.py`). It speaks TLS. `answers(path, *steps)`, `shows(**fields)` for its document,
  `requests`, `seen(path)`, and `token(cloud, **claims)`, `assertion(cloud.name)` with its real keys. It is honest again after each test.
- `visitor`: its user (`programs.Visitor`; `visitor.py`): `sends(url, *pieces)` raw bytes, `asks(cloud, path, *header lines)` with a federated token.
- `thief`: where no token may arrive (`programs.Thief`; `thief.py`). After each test that uses it, no token has.
- `honest`: a cloud that has federated with Mallory, in two ways; `gateway_alone` and `with_haproxy` are one way each. `honest.cloud` is an `Owner` or a
  `Fronted`: its fake services (`honest.cloud["image"]`), its `keystone`, its `frontends`.

All go on to the end of the run, but for each module what was asked of them begins anew. For another agreement or configuration, or a
gateway whose memory is measured, take `alone(folder, mallory, signer, allow=..., more=..., **trust)` or `proxied(...)` of `honest.py` in a fixture of your
own, and a further `Peer(folder, "Name", signer)` for a second hostile cloud.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.haproxy.world import Authority
from tests.hostile.honest import Honest, alone, proxied
from tests.hostile.programs import Peer, Thief, Visitor


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="session")
def signer(hostile_folder: Path) -> Authority:
    return Authority(hostile_folder)


@pytest.fixture(scope="session")
def peer_of_all(hostile_folder: Path, signer: Authority) -> Iterator[Peer]:
    made = Peer(hostile_folder / "mallory", signer=signer)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def peer_program(peer_of_all: Peer) -> Peer:
    """Mallory, whatever the tests before had it answer; its record is of this module."""
    peer_of_all.begin_record()
    return peer_of_all


@pytest.fixture
def mallory(peer_program: Peer) -> Iterator[Peer]:
    yield peer_program
    peer_program.forget()


@pytest.fixture(scope="session")
def visitor(peer_of_all: Peer) -> Iterator[Visitor]:
    made = Visitor(peer_of_all)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def thief_program(hostile_folder: Path) -> Iterator[Thief]:
    made = Thief(hostile_folder)
    yield made
    made.stop()


@pytest.fixture
def thief(thief_program: Thief) -> Iterator[Thief]:
    yield thief_program
    thief_program.got_no_token()


@pytest.fixture(scope="session")
def gateway_alone_of_all(hostile_folder: Path, peer_of_all: Peer, signer: Authority) -> Iterator[Honest]:
    with alone(hostile_folder, peer_of_all, signer) as made:
        yield made


@pytest.fixture(scope="session")
def with_haproxy_of_all(hostile_folder: Path, peer_of_all: Peer, signer: Authority) -> Iterator[Honest]:
    with proxied(hostile_folder, peer_of_all, signer) as made:
        yield made


@pytest.fixture(scope="module")
def gateway_alone_module(gateway_alone_of_all: Honest) -> Iterator[Honest]:
    with gateway_alone_of_all.services_restored():
        yield gateway_alone_of_all


@pytest.fixture(scope="module")
def with_haproxy_module(with_haproxy_of_all: Honest) -> Iterator[Honest]:
    with with_haproxy_of_all.services_restored():
        yield with_haproxy_of_all


@pytest.fixture
def gateway_alone(gateway_alone_module: Honest, mallory: Peer) -> Honest:
    return gateway_alone_module


@pytest.fixture
def with_haproxy(with_haproxy_module: Honest, mallory: Peer) -> Honest:
    return with_haproxy_module


@pytest.fixture(params=["gateway_alone", "with_haproxy"])
def honest(request: pytest.FixtureRequest) -> Honest:
    made: Honest = request.getfixturevalue(request.param)
    return made
