"""The helpers of the Python package: who may hear a credential, and a cloud's own API as a session."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from tests.oaktree.answering import ONE, Oaktree, Web, running

from oaktree.client import ApplicationCredential, Certificate, Credential, Token, connect, rest_session
from oaktree.client import Oaktree as Channel
from oaktree.v1.common_pb2 import ListOptions
from oaktree.v1.compute_pb2 import ListServersRequest
from oaktree.v1.image_pb2 import CreateImageRequest, Image, UploadImageRequest


@pytest.fixture
def oaktree(tmp_path: Path) -> Iterator[Oaktree]:
    """An oaktree."""
    with running(Oaktree(tmp_path)) as server:
        yield server


@pytest.fixture
def api() -> Iterator[Web]:
    """A cloud's own API."""
    with running(Web()) as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Web]:
    """Another host, though at the same address: its port is another."""
    with running(Web()) as server:
        yield server


@pytest.fixture
def channel(oaktree: Oaktree, api: Web) -> Iterator[Channel]:
    """To an oaktree that knows where the API is."""
    oaktree.clouds.root_url = f"{api.url}/compute/v2.1/"
    with connect(oaktree.target, plain=True) as channel:
        yield channel


@pytest.fixture
def session(channel: Channel) -> Iterator[requests.Session]:
    """A session for the API."""
    with rest_session(channel, ONE, "compute") as session:
        yield session


def test_lists_stream_with_locations_and_a_summary(oaktree: Oaktree) -> None:
    with connect(oaktree.target, plain=True) as channel:
        answers = list(channel.compute.ListServers(ListServersRequest()))
    assert [(s.location.cloud, s.name, s.progress) for a in answers for s in a.servers] == [
        ("one", "web-one", 2**53 + 1),
        ("two", "web-two", 2**53 + 1),
    ]
    assert [r.error.message for r in answers[-1].summary.results] == ["no answer"]


@pytest.mark.parametrize("by_socket", [False, True])
def test_credentials_go_with_every_call(oaktree: Oaktree, by_socket: bool) -> None:
    credentials: list[Credential] = [
        Token("one", "gAAAA-_="),
        Token("two", "other"),
        ApplicationCredential("three", "ab12", "sécret word,"),
    ]
    target = f"unix:{oaktree.socket}" if by_socket else oaktree.target
    with connect(target, credentials=credentials, plain=not by_socket) as channel:
        for _ in range(2):
            list(channel.compute.ListServers(ListServersRequest()))
    assert oaktree.heard == 2 * [
        ("x-oaktree-token", "one gAAAA-_="),
        ("x-oaktree-token", "two other"),
        ("x-oaktree-application-credential", "three ab12 s%C3%A9cret%20word%2C"),
    ]


def test_streams_to_the_server_carry_credentials_and_data(oaktree: Oaktree) -> None:
    parts = [
        UploadImageRequest(create=CreateImageRequest(image=Image(name="tiny"))),
        *(UploadImageRequest(data=b"x" * 10) for _ in range(3)),
    ]
    with connect(oaktree.target, credentials=[Token("one", "t")], plain=True) as channel:
        [answer] = channel.image.UploadImage(iter(parts))
    assert (answer.image.name, answer.image.size) == ("tiny", 30)


@pytest.mark.parametrize(
    "target", ["oaktree.example.org:80", "192.0.2.7:80", "127.example.org:80", "dns:///127.0.0.1:80"]
)
def test_credentials_do_not_go_over_a_network_in_plain_text(target: str) -> None:
    with pytest.raises(ValueError, match="without TLS"):
        connect(target, credentials=[Token("one", "secret")], plain=True)


def test_a_certificate_proves_who_calls_and_who_answers(oaktree: Oaktree) -> None:
    certificate = Certificate(*oaktree.certificate)
    known: dict[str, Any] = {"authority": oaktree.authority, "credentials": [Token("one", "t")]}
    with connect(oaktree.secure, certificate=certificate, **known) as channel:
        assert len(list(channel.compute.ListServers(ListServersRequest()))) == 3
    assert oaktree.heard == [("x-oaktree-token", "one t")]
    for options in (known, {"certificate": certificate}):
        with connect(oaktree.secure, **options) as channel, pytest.raises(grpc.RpcError) as raised:
            list(channel.compute.ListServers(ListServersRequest()))
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
    assert len(oaktree.heard) == 1


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr([Token("one", "hush"), ApplicationCredential("one", "id", "hush")])


def test_errors_are_the_servers(oaktree: Oaktree) -> None:
    with connect(oaktree.target, plain=True) as channel, pytest.raises(grpc.RpcError) as raised:
        list(channel.compute.ListServers(ListServersRequest(options=ListOptions(query="["))))
    assert raised.value.code() == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("path", ["servers/detail", "/servers/detail", "//servers/detail"])
def test_paths_are_below_the_root(session: requests.Session, api: Web, path: str) -> None:
    assert session.get(path, params={"limit": 1}).json() == {}
    [(method, seen, headers)] = api.seen
    assert (method, seen) == ("GET", "/compute/v2.1/servers/detail?limit=1")
    assert headers["x-auth-token"] == "token-1"
    assert headers["openstack-api-version"] == "compute 2.100"


def test_a_callers_own_header_counts(session: requests.Session, api: Web) -> None:
    session.get("servers", headers={"OpenStack-API-Version": "compute 2.1"})
    assert api.seen[0][2]["openstack-api-version"] == "compute 2.1"
    assert api.seen[0][2]["x-auth-token"] == "token-1"


def test_a_whole_url_of_the_api_is_taken_and_others_are_refused(
    session: requests.Session, api: Web, elsewhere: Web
) -> None:
    session.get(f"{api.url}/image/v2/images")
    assert api.seen[0][1] == "/image/v2/images"
    assert api.seen[0][2]["x-auth-token"] == "token-1"
    with pytest.raises(ValueError, match="another host"):
        session.get(f"{elsewhere.url}/servers")
    assert elsewhere.seen == []


def test_a_token_is_kept_until_it_ends_and_then_renewed(channel: Channel, oaktree: Oaktree, api: Web) -> None:
    with rest_session(channel, ONE, "compute") as session:
        session.get("servers")
        session.get("servers")
    assert [headers["x-auth-token"] for _, _, headers in api.seen] == ["token-1", "token-1"]
    oaktree.clouds.lasts = 30
    with rest_session(channel, ONE, "compute") as session:
        session.get("servers")
        session.get("servers")
    assert [headers["x-auth-token"] for _, _, headers in api.seen[2:]] == ["token-2", "token-3"]


def test_a_refusal_to_tell_is_raised_and_asked_again(session: requests.Session, oaktree: Oaktree) -> None:
    oaktree.clouds.fails = True
    with pytest.raises(grpc.RpcError):
        session.get("servers")
    oaktree.clouds.fails = False
    assert session.get("servers").ok


def test_the_token_follows_a_redirect_on_the_same_host_only(
    session: requests.Session, api: Web, elsewhere: Web
) -> None:
    api.moved = {"/compute/v2.1/a": (302, "/compute/v2.1/b"), "/compute/v2.1/b": (307, f"{elsewhere.url}/c")}
    elsewhere.moved = {"/c": (302, f"{api.url}/d")}
    sent = {"Authorization": "Basic mine", "X-Mine": "kept", "X-Service-Token": "mine too"}
    assert session.get("a", headers=sent, cookies={"mine": "1"}).status_code == 200
    assert [(path, headers.get("x-auth-token")) for _, path, headers in api.seen] == [
        ("/compute/v2.1/a", "token-1"),
        ("/compute/v2.1/b", "token-1"),
        ("/d", None),
    ]
    [(_, _, headers)] = elsewhere.seen
    assert headers["x-mine"] == "kept"
    assert not {"x-auth-token", "openstack-api-version", "authorization", "x-service-token", "cookie"} & headers.keys()


def test_the_users_netrc_is_left_alone(
    session: requests.Session, api: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session.get("servers")
    assert "authorization" not in api.seen[0][2]
