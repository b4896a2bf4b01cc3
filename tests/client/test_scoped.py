"""The helper for openstacksdk, at the wire."""

import sys
import threading
from typing import TYPE_CHECKING, Any

import openstack
import pytest

from openstackoid.client import scoped
from openstackoid.core.errors import ScopeError
from openstackoid.core.scope import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openstack.connection import Connection

# openstacksdk warns of parts of itself that are leaving.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning", "ignore::DeprecationWarning")


@pytest.fixture
def connection(login: dict[str, str]) -> "Iterator[Connection]":
    with openstack.connection.Connection(auth=login, region_name="R") as made:
        yield made


def _images(connection: "Connection") -> list[str]:
    return [image.name for image in connection.image.images()]


@pytest.mark.parametrize(
    "scope",
    [{"image": "CloudTwo"}, '{"image": "CloudTwo"}', "image=CloudTwo", parse('{"image": "CloudTwo"}')],
    ids=["mapping", "json", "short", "scope"],
)
def test_every_request_within_is_scoped(cloud: Any, connection: "Connection", scope: Any) -> None:
    connection.authorize()
    cloud.asked.clear()
    with scoped(connection, scope) as there:
        assert _images(there) == ["of-CloudTwo"]
    assert cloud.scopes() == {'{"image":"CloudTwo"}'}


def test_one_login_for_all(cloud: Any, connection: "Connection") -> None:
    with scoped(connection, {"image": "CloudTwo"}) as there, scoped(connection, {"image": "CloudThree"}) as elsewhere:
        assert _images(there) + _images(elsewhere) + _images(connection) == ["of-CloudTwo", "of-CloudThree", "of-entry"]
    assert cloud.logins == 1
    assert {asked.token for asked in cloud.asked} == {None, "token-1-entry"}


def test_the_connection_itself_stays_as_it_is(cloud: Any, connection: "Connection") -> None:
    assert _images(connection) == ["of-entry"]
    with scoped(connection, {"image": "CloudTwo"}) as there:
        assert _images(there) == ["of-CloudTwo"]
        assert _images(connection) == ["of-entry"]
    cloud.asked.clear()
    assert _images(connection) == ["of-entry"]
    assert cloud.scopes() == {None}


def test_discovery_is_not_shared(cloud: Any, connection: "Connection") -> None:
    """The fake cloud, as real ones, has another version of the service behind the same URL under another scope."""
    _images(connection)
    with scoped(connection, {"image": "CloudTwo"}) as there:
        _images(there)
    cloud.asked.clear()
    _images(connection)
    assert [asked.path for asked in cloud.asked] == ["/image/entry/v2/images"]


def test_identity_elsewhere_means_another_login(cloud: Any, connection: "Connection") -> None:
    connection.authorize()
    with scoped(connection, {"identity": "CloudTwo"}) as there:
        assert _images(there) == ["of-entry"]
        assert there.session.auth is not connection.session.auth
    _images(connection)
    assert cloud.logins == 2
    tokens = {(asked.scope, asked.token) for asked in cloud.asked if asked.token}
    assert tokens == {(None, "token-1-entry"), ('{"identity":"CloudTwo"}', "token-2-CloudTwo")}


def test_scopes_within_scopes_replace_each_other(cloud: Any, connection: "Connection") -> None:
    with scoped(connection, "image=CloudTwo") as there, scoped(there, "network=CloudThree") as inner:
        assert _images(inner) == ["of-entry"]
        assert [network.name for network in inner.network.networks()] == ["net-CloudThree"]
        with scoped(inner, {}) as plain:
            cloud.asked.clear()
            assert _images(plain) == ["of-entry"]
            assert cloud.scopes() == {None}
    assert cloud.logins == 1


def test_threads_do_not_mix(cloud: Any, connection: "Connection") -> None:
    start = threading.Barrier(4)
    seen: dict[str, set[str]] = {}

    def work(name: str) -> None:
        with scoped(connection, {"image": name}) as there:
            start.wait(timeout=10)
            seen[name] = {image for _ in range(5) for image in _images(there)}

    workers = [threading.Thread(target=work, args=(name,)) for name in ("CloudTwo", "CloudThree")]
    workers += [
        threading.Thread(target=lambda: (start.wait(timeout=10), seen.update(none=set(_images(connection)))))
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert seen == {"CloudTwo": {"of-CloudTwo"}, "CloudThree": {"of-CloudThree"}, "none": {"of-entry"}}
    assert cloud.logins == 1


def test_malformed_scopes_send_nothing(cloud: Any, connection: "Connection") -> None:
    with pytest.raises(ScopeError, match="between clouds"), scoped(connection, {"image": "Cloud Two"}):
        pytest.fail("entered")
    assert cloud.asked == []


def test_settings_of_the_connection_are_kept(connection: "Connection") -> None:
    connection.config.config["image_api_version"] = "2"
    connection.set_global_request_id("req-1234")
    with scoped(connection, {"image": "CloudTwo"}) as there:
        assert there.config.region_name == "R"
        assert there.config.config["image_api_version"] == "2"
        assert there._global_request_id == "req-1234"
        assert there.session.session is connection.session.session
    assert "scope" not in connection.config.config


def test_the_vendor_hook_scopes_a_program_without_code(cloud: Any, login: dict[str, str]) -> None:
    keys: dict[str, Any] = {"scope": {"image": "CloudTwo"}, "vendor_hook": "openstackoid.client:attach"}
    with openstack.connection.Connection(auth=login, region_name="R", **keys) as connection:
        assert _images(connection) == ["of-CloudTwo"]
        assert cloud.scopes() == {'{"image":"CloudTwo"}'}
        with scoped(connection, {"image": "CloudThree"}) as there:
            assert _images(there) == ["of-CloudThree"]
    assert cloud.logins == 1


def test_a_scope_that_cannot_be_put_on_stops_the_connection(
    login: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """openstacksdk logs some errors of a hook and goes on; a request would then go to the wrong cloud."""
    monkeypatch.setitem(sys.modules, "openstackoid.core.scope", None)
    keys: dict[str, Any] = {"scope": "image=CloudTwo", "vendor_hook": "openstackoid.client:attach"}
    with pytest.raises(RuntimeError, match="cannot be put on"):
        openstack.connection.Connection(auth=login, region_name="R", **keys)
