"""A scope on every request of an openstacksdk Connection.

keystoneauth1 sends the headers in `Session.additional_headers` with every request of a session (`session.py`, Session.request):
logging in, discovery of versions, every service. What is left is to reach the session before its first request.
`vendor_hook` of clouds.yaml is openstacksdk's own way to do so (`openstack/connection.py`, Connection.__init__: called with the
new Connection, which has sent nothing yet; `openstack/config/schema.json` lists the key). The plugin of the `openstack` client
sets that key, and a program on openstacksdk can set it in clouds.yaml:

    clouds:
      one:
        scope: {image: CloudTwo}
        vendor_hook: openstackoid.client:attach
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from openstackoid.client import settings
from openstackoid.core.protocol import SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from keystoneauth1.plugin import BaseAuthPlugin
    from keystoneauth1.session import Session
    from openstack.config.cloud_region import CloudRegion
    from openstack.connection import Connection

    from openstackoid.core.scope import Scope

HOOK: Final = "openstackoid.client:attach"


def attach(connection: "Connection") -> None:
    """Put the scope of a Connection's configuration on its session: the vendor hook.

    Raises:
        ScopeError: for a malformed scope; nothing has been sent then.
    """
    try:
        _attach(connection)
    except (ImportError, TypeError, AttributeError) as error:
        # Connection.__init__ would log these and go on, without the scope: in the wrong cloud.
        raise RuntimeError(f"The scope cannot be put on the requests: {error}") from error
    replaced = _replaced_hook(connection.config)
    if replaced:
        from importlib.metadata import EntryPoint  # noqa: PLC0415 - for few clouds only

        EntryPoint(name="vendor_hook", value=replaced, group="vendor_hook").load()(connection)


@contextmanager
def scoped(connection: "Connection", scope: "str | Mapping[str, str] | Scope") -> "Iterator[Connection]":
    """A Connection like another one, with a scope on every request.

    The given Connection stays as it is, so threads can scope it in different ways at the same time. They share its login,
    unless the scope says that identity is elsewhere, and its pool of TCP connections. They do not share what was
    discovered: under another scope, other versions of a service stand behind the same URL.

    Args:
        connection: any Connection; logged in here if it is not yet.
        scope: `{"image": "CloudTwo"}`, its JSON, the short form `image=CloudTwo`, or a `Scope`; it replaces the one that
            the Connection may have, and an empty one takes it off.

    Yields:
        A new Connection, closed at the end of the block.

    Raises:
        ScopeError: for a malformed scope, before any request.
    """
    wanted = settings.read(scope)
    region = _region(connection, wanted)
    # `__class__`, so that a subclass stays one, as Connection.connect_as does.
    twin = connection.__class__(config=region)
    if connection._global_request_id:  # noqa: SLF001 - has a setter only
        twin.set_global_request_id(connection._global_request_id)  # noqa: SLF001 - as above
    try:
        yield twin
    finally:
        twin.close()


def _attach(connection: "Connection") -> None:
    scope = settings.read_configured(connection.config.config)
    if not scope:
        return
    session = connection.session
    _put(session, scope, settings.wishes(connection.config.config))
    if _moves_identity(scope):
        # A login kept by openstacksdk (`cache: {auth: true}`) is named by URL and user only: under this scope the
        # same URL is another Keystone. Neither take a login from there nor leave this one (CloudRegion.set_auth_cache).
        connection.config._cache_auth = False  # noqa: SLF001 - set by the configuration alone
        if session.auth is not None:
            session.auth.invalidate()


def _put(session: "Session", scope: "Scope", wishes: "Mapping[str, str]") -> None:
    from openstackoid.client.guard import Guard  # noqa: PLC0415 - a client without a scope needs none of it
    from openstackoid.core.scope import format as write  # noqa: PLC0415 - as above

    Guard.mount(session.session)
    session.additional_headers[SCOPE] = write(scope)
    if scope.has_operators:
        session.additional_headers.update(wishes)


def _moves_identity(scope: "Scope") -> bool:
    """Whether the scope names identity, by itself or with "*"; in which cloud we are, only the gateway knows."""
    return scope.get("identity") is not None


def _replaced_hook(region: "CloudRegion") -> str | None:
    """The vendor hook that the cloud's own configuration names, and that the client's plugin stands before."""
    loader = region._openstack_config  # noqa: SLF001 - openstackclient's ClientManager.setup_auth uses it too
    if loader is None:
        return None
    # The same cloud once more, without the client's arguments; the scope is given so that its text is not `.format()`ed.
    arguments: dict[str, Any] = {settings.KEY: settings.from_option(""), "region_name": region.region_name or ""}
    mine = loader.get_one(cloud=region.name or None, validate=False, **arguments)
    hook = mine.config.get("vendor_hook")
    return str(hook) if hook and hook != HOOK else None


def _region(connection: "Connection", scope: "Scope") -> "CloudRegion":
    """The configuration of the new Connection. No public way copies one with its login; the tests watch these names."""
    import copy  # noqa: PLC0415 - for scoped() only

    region = copy.copy(connection.config)
    config: dict[str, Any] = {**connection.config.config, settings.KEY: scope}
    region.config = config
    # Answers kept by openstacksdk are named by method and arguments: those of another cloud must not be taken for ours.
    region._cache_class = "dogpile.cache.null"  # noqa: SLF001 - no public way, as said above; so for the next five
    region._cache_expirations = {}  # noqa: SLF001 - as above
    region._cache_auth = False  # noqa: SLF001 - as above
    region._discovery_cache = None  # noqa: SLF001 - as above
    session = _session(connection.session, scope, settings.wishes(connection.config.config))
    region._keystone_session = session  # noqa: SLF001 - as above
    region._auth = region._keystone_session.auth  # noqa: SLF001 - as above
    return region


def _session(session: "Session", scope: "Scope", wishes: "Mapping[str, str]") -> "Session":
    import copy  # noqa: PLC0415 - for scoped() only

    twin = copy.copy(session)
    twin._session = None  # noqa: SLF001 - the requests.Session is lent: its owner closes it
    twin._api_times = []  # noqa: SLF001 - a copy shares it, and has no public way to another
    twin._discovery_cache = {}  # noqa: SLF001 - as above
    twin.additional_headers = {
        name: value for name, value in session.additional_headers.items() if not name.startswith(SCOPE)
    }
    before = settings.read(session.additional_headers.get(SCOPE))
    if scope:
        _put(twin, scope, wishes)
    if session.auth is not None:
        twin.auth = _auth(session, session.auth, moved=before.get("identity") != scope.get("identity"))
    return twin


def _auth(session: "Session", auth: "BaseAuthPlugin", *, moved: bool) -> "BaseAuthPlugin":
    """A plugin with the same login, if the same Keystone is meant, and with discoveries of its own."""
    import copy  # noqa: PLC0415 - for scoped() only

    if not moved:
        auth.get_token(session)  # now, so that both know it
    twin = copy.copy(auth)
    twin._discovery_cache = {}  # noqa: SLF001 - as in _session
    if moved:
        twin.invalidate()
    return twin
