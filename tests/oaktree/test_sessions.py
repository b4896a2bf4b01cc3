"""openstacksdk itself through a gate: what it makes of deadlines, breakers, rubbish and retries."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc import status_pb2
from keystoneauth1.identity import Password
from openstack import connection
from openstack.config import cloud_region, defaults
from tests.oaktree.keystone import Keystone
from tests.oaktree.upstream import TOKEN, Handler, Seen, reply, upstream, wait_for_end

from openstackoid.oaktree import errors, statuses
from openstackoid.oaktree.upstream.breaker import Breaker, Patience
from openstackoid.oaktree.upstream.calls import Call, run
from openstackoid.oaktree.upstream.sessions import Gates
from openstackoid.oaktree.upstream.transport import Gate

# openstacksdk calls itself in ways that it warns of.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")


class Cloud(Keystone):
    """Keystone, nova and glance, as far as a list needs them; `answers` replaces some, by the start of their paths."""

    def __init__(self) -> None:
        self.answers: dict[str, Handler] = {}
        super().__init__({"compute": "/compute/v2.1", "image": "/image"})

    def _answer(self, seen: Seen, sock: socket.socket) -> bytes | None:
        for path, answer in self.answers.items():
            if seen.target.startswith(path):
                return answer(seen, sock)
        return super()._answer(seen, sock)

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        if path.startswith("/compute/v2.1/servers/detail"):
            return reply(200, {"servers": [{"id": "s", "name": "one"}]})
        return super()._serve(seen, path)

    def asked(self, path: str) -> int:
        return sum(each.target.startswith(path) for each in self.seen)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with contextlib.closing(Cloud()) as made:
        yield made


def connect(cloud: Cloud, **options: Any) -> connection.Connection:
    patience = Patience(patience=0.2, first=60)
    gates = Gates(lambda name, region: Gate(name, region, Breaker(name, region, patience), **options))
    auth = Password(
        f"{cloud.url}/identity/v3",
        username="u",
        password="p",
        user_domain_id="d",
        project_name="p",
        project_domain_id="d",
    )
    through = gates.session("one", "RegionOne", auth=auth)
    return connection.Connection(
        config=cloud_region.CloudRegion("one", "RegionOne", defaults.get_defaults(), session=through)
    )


def servers(made: connection.Connection, seconds: float = 60) -> Any:
    return run(Call(time.monotonic() + seconds), lambda: list(made.compute.servers()))


def told(error: BaseException) -> tuple[str, status_pb2.Status]:
    status = statuses.status(error, cloud="one", region="RegionOne", service="compute")
    return statuses.reason(status), status


def hang(seen: Seen, sock: socket.socket) -> None:
    wait_for_end(seen, sock)


def test_openstacksdk_lists_through_a_gate(cloud: Cloud) -> None:
    (server,) = servers(connect(cloud))
    assert server.name == "one"


@pytest.mark.parametrize("dead", ["/identity/v3/auth", "/compute/v2.1", "/compute/v2.1/servers"])
def test_a_service_that_hangs_costs_its_timeout_once_and_says_so(cloud: Cloud, dead: str) -> None:
    cloud.answers[dead] = hang
    made = connect(cloud, read_timeout=0.3)
    reasons = []
    for _ in range(2):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever openstacksdk makes of it
            servers(made)
        reasons.append(told(caught.value)[0])
    assert reasons in (["CLOUD_TIMEOUT", "CLOUD_LEFT_ALONE"], ["CLOUD_LEFT_ALONE", "CLOUD_LEFT_ALONE"])
    before = cloud.asked("/")
    with pytest.raises(errors.LeftAloneError):
        servers(made)
    assert cloud.asked("/") == before


@pytest.mark.parametrize("hanging", ["/identity/v3/auth", "/compute/v2.1", "/compute/v2.1/servers"])
def test_the_callers_deadline_ends_openstacksdk_wherever_it_is(cloud: Cloud, hanging: str) -> None:
    cloud.answers[hanging] = hang
    with pytest.raises(errors.CallDeadlineError):
        servers(connect(cloud), 0.3)


def rubbish(seen: Seen, sock: socket.socket) -> bytes:
    return reply(200, b"{rubbish", {"Content-Type": "application/json"})


@pytest.mark.parametrize("path", ["/identity/v3/auth", "/compute/v2.1/servers"])
def test_rubbish_is_called_rubbish(cloud: Cloud, path: str) -> None:
    cloud.answers[path] = rubbish
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever openstacksdk makes of it
        servers(connect(cloud))
    reason, status = told(caught.value)
    assert reason == "CLOUD_ANSWER_INVALID"
    assert TOKEN not in status.SerializeToString().decode("latin-1")


def test_an_answer_that_is_too_large_ends_a_list(cloud: Cloud) -> None:
    cloud.answers["/compute/v2.1/servers"] = lambda *_: reply(200, {"servers": [{"id": "x" * 100_000}]})
    with pytest.raises(errors.AnswerTooLargeError):
        servers(connect(cloud, largest_answer=50_000))


def test_wrong_credentials_are_the_callers(cloud: Cloud) -> None:
    cloud.answers["/identity/v3/auth"] = lambda *_: reply(401, {"error": {"message": "wrong", "code": 401}})
    made = connect(cloud)
    for _ in range(3):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever openstacksdk makes of it
            servers(made)
        assert told(caught.value)[0] == "CLOUD_UNAUTHENTICATED"


def test_openstacksdks_own_retries_wait_no_longer_than_the_call(cloud: Cloud) -> None:
    # openstack/config/defaults.json: five for images. keystoneauth would sleep as long as the cloud says.
    cloud.answers["/image/v2/images"] = lambda *_: reply(503, b"", {"Retry-After": "3000"})
    made = connect(cloud)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever openstacksdk makes of it
        run(Call(time.monotonic() + 30), lambda: list(made.image.images()))
    reason, status = told(caught.value)
    assert reason == "CLOUD_UNAVAILABLE"
    assert cloud.asked("/image/v2/images") == 1
    assert any(each.type_url.endswith("RetryInfo") for each in status.details)


def test_a_service_that_the_cloud_lacks_is_missing(cloud: Cloud) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever openstacksdk makes of it
        run(Call(), lambda: list(connect(cloud).orchestration.stacks()))
    assert told(caught.value)[0] == "SERVICE_MISSING"


def test_no_token_goes_where_a_cloud_redirects(cloud: Cloud) -> None:
    with upstream(lambda *_: reply(200, {"servers": []})) as elsewhere:
        cloud.answers["/compute/v2.1/servers"] = lambda *_: reply(302, b"", {"Location": f"{elsewhere.url}/servers"})
        with pytest.raises(errors.RedirectError):
            servers(connect(cloud))
        assert elsewhere.seen == []


def test_a_token_leads_to_the_same_endpoints_until_there_is_another(cloud: Cloud) -> None:
    made = connect(cloud)
    for _ in range(3):
        servers(made)
    assert (cloud.asked("/identity/v3/auth"), cloud.asked("/compute/v2.1/servers")) == (1, 3)

    def renewed(seen: Seen, sock: socket.socket) -> bytes:
        return (
            reply(200, {"servers": []})
            if seen.headers["x-auth-token"] == "gAAAAABanother"
            else reply(401, {"error": {"code": 401, "message": "it has ended"}})
        )

    def moved(seen: Seen, sock: socket.socket) -> bytes | None:
        # The catalog that comes with the new token has nova elsewhere.
        del cloud.answers["/identity/v3/auth"]
        answer = cloud._answer(seen, sock)
        assert answer is not None
        return answer.replace(b"/compute/v2.1", b"/Compute/v2.1").replace(TOKEN.encode(), b"gAAAAABanother")

    cloud.answers |= {"/compute/v2.1/servers": renewed, "/identity/v3/auth": moved, "/Compute/v2.1/servers": renewed}
    assert servers(made) == []  # refused once, and sent again with the other token
    cloud.answers["/compute/v2.1/servers"] = lambda *_: reply(410)
    assert servers(made) == []
    assert cloud.asked("/Compute/v2.1/servers") == 1


def test_what_discovery_did_not_find_is_looked_for_again(cloud: Cloud) -> None:
    cloud.answers["/compute/v2.1"] = lambda *_: reply(500)
    made = connect(cloud)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whichever openstacksdk makes of it
        servers(made)
    del cloud.answers["/compute/v2.1"]
    (server,) = servers(made)
    assert server.name == "one"
    assert cloud.seen[-1].headers["openstack-api-version"].startswith("compute 2.")
