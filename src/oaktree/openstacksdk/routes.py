"""Which kind of resource, and which resource, a request of openstacksdk is about: from the paths of openstacksdk's own classes."""

import importlib
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

from openstack.resource import Resource

from oaktree.v1.resource_pb2 import Kind

# openstacksdk's classes are "openstack.SERVICE.vN.MODULE.CLASS".
_CLASS: Final = re.compile(r"(openstack\.\w+\.v(\d+)\.\w+)\.(\w+)")


@dataclass(frozen=True)
class Route:
    """The path of one kind.

    Attributes:
        kind: the kind: "compute.server".
        cls: openstacksdk's class.
        verbs: what oaktree can do with it.
        path: matches the paths of the collection and of one resource.
    """

    kind: str
    cls: type[Resource]
    verbs: frozenset[str]
    path: re.Pattern[str]


@dataclass(frozen=True)
class Target:
    """What a request is about: a resource if it has an id, otherwise the collection."""

    route: Route
    parents: Mapping[str, str]
    id: str


class Routes:
    """The paths of all kinds of an oaktree, service by service. Thread-safe."""

    def __init__(self, kinds: Callable[[str], Iterable[Kind]]) -> None:
        """Prepare.

        Args:
            kinds: asks the oaktree for the kinds of a service.
        """
        self._kinds: Final = kinds
        self._lock: Final = threading.Lock()
        self._services: Final[dict[str, tuple[int | None, list[Route]]]] = {}

    def version(self, service: str) -> int | None:
        """The major version of a service's API; None if there is no such service."""
        return self._read(service)[0]

    def find(self, service: str, path: str, verb: str) -> Target | None:
        """The target of a request: the kind that supports the verb, if there is one, otherwise any; None if no kind has the path.

        Args:
            service: the service, "block_storage".
            path: the path below the service's endpoint, still encoded.
            verb: "list", "get", "create", "update" or "delete".
        """
        routes = self._read(service)[1]
        found = [(route, match) for route in routes if (match := route.path.fullmatch(path))]
        for route, match in sorted(found, key=lambda each: verb not in each[0].verbs):
            groups = {name: unquote(value or "") for name, value in match.groupdict().items()}
            return Target(route, {name: value for name, value in groups.items() if name != "id_"}, groups["id_"])
        return None

    def _read(self, service: str) -> tuple[int | None, list[Route]]:
        with self._lock:
            if service not in self._services:
                found = [_route(kind) for kind in self._kinds(service)]
                known = [each for each in found if each is not None]
                version = max((number for number, _ in known), default=None)
                self._services[service] = version, [route for number, route in known if number == version]
            return self._services[service]


def _route(kind: Kind) -> tuple[int, Route] | None:
    """The major version and the route of a kind; None if this openstacksdk has no such class, or the class has no path."""
    match = _CLASS.fullmatch(kind.sdk_class)
    if match is None:
        return None
    try:
        cls: Any = getattr(importlib.import_module(match[1]), match[3], None)
    except ImportError:
        return None
    if not (isinstance(cls, type) and issubclass(cls, Resource) and cls.base_path):
        return None
    base = "/" + cls.base_path.strip("/")
    parts = re.split(r"%\((\w+)\)s", base)
    pattern = "".join(f"(?P<{part}>[^/]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    path = re.compile(rf"{pattern}(?:/detail)?(?:/(?P<id_>(?!detail$)[^/]+))?/?")
    return int(match[2]), Route(kind.kind, cls, frozenset(kind.verbs), path)
