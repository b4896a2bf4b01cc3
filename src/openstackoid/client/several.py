"""Several clouds for a program on openstacksdk: which resource is where, and which clouds did not answer.

    from openstackoid.client import several

    with several(connection, {"compute": "*"}, timeout=5) as clouds:
        for server in clouds.connection.compute.servers():
            print(server.name, *clouds.of(server))
        for cloud, code in clouds.missing.items():
            print(cloud, "is missing:", code)

Answers name the clouds in headers, which openstacksdk does not show: a hook of requests (its own extension point) reads them, on a session that
only this block uses, so nobody else's answers are read.
"""

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openstackoid.client import settings
from openstackoid.client.connection import scoped
from openstackoid.core.partial import CLOUD, ITEMS, MISSING, read_items, read_missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import requests
    from openstack.connection import Connection

    from openstackoid.core.scope import Scope

_IDS = ("id", "uuid", "name")  # what names an item: key pairs have a name alone


class Several:
    """A Connection to several clouds, and what their answers said of them.

    Attributes:
        connection: for requests; each goes to all clouds that the scope means.
        missing: cloud -> permanent code of the error, or `status.NNN`, for each cloud that was left out of an answer in this block.
    """

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.missing: dict[str, str] = {}
        self._places: dict[str, list[str]] = {}

    def of(self, resource: Any) -> tuple[str, ...]:
        """The clouds that have a resource of an answer: several if it has the same id in each; empty if it is unknown.

        Args:
            resource: of openstacksdk, or an id.
        """
        return tuple(self._places.get(str(getattr(resource, "id", None) or resource), ()))

    def saw(self, response: "requests.Response", *_: Any, **__: Any) -> None:
        """Read an answer: a hook of requests."""
        self.missing.update(read_missing(response.headers.get(MISSING, "")))
        text, cloud = response.headers.get(ITEMS), response.headers.get(CLOUD)
        is_json = response.headers.get("Content-Type", "").startswith(
            "application/json"
        )  # data of an image is not read
        if not is_json or (text is None and cloud is None):
            return
        try:
            document = response.json()
            clouds = read_items(text) if text is not None else []
        except ValueError:
            return
        values = list(document.values()) if isinstance(document, dict) else []
        if text is None:
            for item in [document, *values]:
                self._note(item, cloud or "")
            return
        lists = [value for value in values if isinstance(value, list) and len(value) == len(clouds)]
        for item, name in zip(lists[0] if lists else [], clouds, strict=False):
            self._note(item, name)

    def _note(self, item: Any, cloud: str) -> None:
        inner = item.get("keypair", item) if isinstance(item, dict) else None
        name = next((inner[key] for key in _IDS if key in inner), None) if isinstance(inner, dict) else None
        if isinstance(name, str):
            places = self._places.setdefault(name, [])
            if cloud not in places:
                places.append(cloud)


@contextmanager
def several(
    connection: "Connection",
    scope: "str | Mapping[str, str] | Scope",
    *,
    require: "str | int | None" = None,
    timeout: float | None = None,
    match: str | None = None,
) -> "Iterator[Several]":
    """A Connection like another one, to the clouds that a scope means; see `scoped`.

    Args:
        connection: any Connection; logged in here if it is not yet.
        scope: such as `{"compute": "*"}`.
        require: how many clouds must answer: `all`, `any` (the default) or a number; else openstacksdk raises its error for 502.
        timeout: seconds after which a cloud that has not answered is left out.
        match: `name` if one image, flavor, network or key pair of a name in each cloud stands for all of them: for creates. What is changed or deleted
            by name is then one cloud's alone.

    Raises:
        ScopeError: for a malformed scope, requirement or timeout, before any request.
    """
    wishes = settings.wishes({settings.REQUIRE_KEY: require, settings.TIMEOUT_KEY: timeout, settings.MATCH_KEY: match})
    if match == "name":
        wishes[settings.MATCH] = match
    with scoped(connection, scope) as there:
        import copy  # noqa: PLC0415 - a client without several clouds needs none of it

        made, session = Several(there), there.session
        session.additional_headers.update(wishes)
        lent = session.session
        session.session = copy.copy(lent)  # the same connections, with a hook of its own
        session.session.hooks = {**lent.hooks, "response": [*lent.hooks["response"], made.saw]}
        yield made
