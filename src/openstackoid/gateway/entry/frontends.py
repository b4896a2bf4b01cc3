"""Routes: which service a request is for, by the address where it arrived and the longest prefix of its path. Pure.

http://10.0.0.2:9292/v2/images                    a port a service   -> image, /v2/images
https://cloud.example/image/v2/images             a path a service   -> image, /v2/images
http://10.0.0.2:9292/scope/NAME/v2/images         a saved scope      -> image, /v2/images, NAME
http://10.0.0.2:5000/scope/NAME/image/v2/images   the same, and all services at one address, by their types: also those that only the scope's clouds have
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from openstackoid.core.errors import BadRequestError, NoSuchServiceError
from openstackoid.core.protocol import SCOPED_PREFIX
from openstackoid.core.scope import is_name
from openstackoid.core.services import is_official, is_service_name, service_type

_VERSIONS: Final = re.compile(r"/(?:v\d{1,3}(?:\.\d{1,3})?/?)?$")


@dataclass(frozen=True, slots=True)
class Route:
    """What a path leads to.

    Attributes:
        service: official service type.
        path: path and query inside the service, encoded as it came, with a slash first.
        saved_scope: the name of the saved scope that the path names, or None.
    """

    service: str
    path: str
    saved_scope: str | None = None


class Frontends:
    """The services at each address.

    Args:
        services: official service type -> (ADDRESS:PORT, base URL of the frontend).
    """

    def __init__(self, services: Mapping[str, tuple[str, str]]) -> None:
        self._paths: dict[str, list[tuple[str, str]]] = {}
        self._urls = {kind: url for kind, (_, url) in services.items()}
        for kind, (address, url) in services.items():
            self._paths.setdefault(address, []).append((urlsplit(url).path, kind))
        for paths in self._paths.values():
            paths.sort(key=lambda pair: -len(pair[0]))

    @property
    def addresses(self) -> list[str]:
        """Every ADDRESS:PORT to listen at."""
        return sorted(self._paths)

    def route(self, address: str, target: str) -> Route:
        """Find the service of a request.

        Args:
            address: ADDRESS:PORT where it arrived.
            target: path and query as they arrived, encoded.

        Raises:
            BadRequestError: the target is not a path, or the path leaves its service (`..`).
            NoSuchServiceError: no service at this path.
        """
        path, _, _ = target.partition("?")
        if not path.startswith("/"):
            raise BadRequestError("Expected a path that begins with /.")
        if "." in path or "%" in path:
            _stays_inside(path)
        if path.startswith(SCOPED_PREFIX):
            name, _, rest = target.removeprefix(SCOPED_PREFIX).partition("/")
            if not is_name(name.partition("?")[0]) or "?" in name:
                raise BadRequestError("Expected /scope/NAME/... with a saved scope's name.")
            found = self._scoped_service(address, f"/{rest}")
        else:
            name, found = "", self._find(address, target)
        if found is None:
            served = ", ".join(f"{prefix or '/'} ({kind})" for prefix, kind in self._paths.get(address, []))
            raise NoSuchServiceError(f"No service at this path. Here are: {served}.")
        service, inner = found
        return Route(service, inner, name or None)

    def base(self, kind: str) -> str:
        """The base URL of a service that is served here."""
        return self._urls[kind]

    def scoped(self, saved: str) -> dict[str, str]:
        """Base URL of each frontend -> the same URL under a saved scope."""
        return {
            url: f"{parts.scheme}://{parts.netloc}{SCOPED_PREFIX}{saved}{parts.path}"
            for url in self._urls.values()
            for parts in (urlsplit(url),)
        }

    def by_type(self, saved: str, kind: str) -> str:
        """The base URL, under a saved scope, of a service that this cloud may not have: at the address of its identity service."""
        parts = urlsplit(self._urls.get("identity") or next(iter(self._urls.values())))
        return f"{parts.scheme}://{parts.netloc}{SCOPED_PREFIX}{saved}/{kind}"

    def _find(self, address: str, target: str) -> tuple[str, str] | None:
        for prefix, kind in self._paths.get(address, []):
            if target.startswith(prefix) and target[len(prefix) :][:1] in {"", "/", "?"}:
                return kind, _slashed(target[len(prefix) :])
        return None

    def _scoped_service(self, address: str, target: str) -> tuple[str, str] | None:
        """The service of a target behind `/scope/NAME`: a saved scope's catalog may list every service below one address, by its type.

        Raises:
            NoSuchServiceError: the target names a service that is not served here. The service without a prefix must not get it, and its token.
        """
        route = self._by_type(target)
        if route is not None:
            return route
        route = self._find(address, target)
        first = unquote(target[1:].partition("?")[0].partition("/")[0])
        if route is not None and route[1] == target and is_service_name(first):
            served = ", ".join(sorted(self._urls))
            raise NoSuchServiceError(
                f"Expected a service of this gateway after /scope/NAME/, got {first}. Served are: {served}."
            )
        return route

    def _by_type(self, target: str) -> tuple[str, str] | None:
        first = target[1:].partition("?")[0].partition("/")[0]
        kind = service_type(first)
        if kind is None or first != kind or not (kind in self._urls or is_official(kind)):
            return None
        return kind, _slashed(target[1 + len(first) :])


def is_version_document(path: str) -> bool:
    """Whether a path inside a service is that of a version document: `/`, `/v2`, `/v2.1/`."""
    return _VERSIONS.match(path) is not None


def _slashed(rest: str) -> str:
    return rest if rest.startswith("/") else f"/{rest}"


def _stays_inside(path: str) -> None:
    """Refuse `..` in any spelling: a backend or a peer could read it as another service's path."""
    if any(segment in {".", ".."} for segment in unquote(path).replace("\\", "/").split("/")):
        raise BadRequestError("Expected a path without . and .. segments.")
