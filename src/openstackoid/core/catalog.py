"""Clouds and what they serve, as values; and Keystone's catalog, from and to its JSON.

A cloud tells its peers what it serves at `/.well-known/openstackoid`:

    {"cloud": "CloudTwo", "version": 1, "labels": ["edge"], "services": {"image": {"url": "http://10.0.0.2:9292"}}}

A Keystone catalog is a list of services, each with its endpoints (keystone/catalog/core.py, `get_v3_catalog`):

    [{"type": "image", "name": "glance", "endpoints": [{"interface": "public", "region": "RegionOne", "url": ...}]}]

A URL of a catalog may hold the project's id, where the template had `%(project_id)s` (keystone/common/utils.py,
`format_url`): a catalog that is remembered is turned back into that template first.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from openstackoid.core.scope import is_name
from openstackoid.core.services import service_type

VERSION: Final = 1
PROJECT: Final = "%(project_id)s"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud as others see it.

    Attributes:
        name: unique among those who collaborate.
        services: official service type -> base URL of its frontend, without a slash at its end.
        labels: what `@label` finds.
        frontends: what its own users call, where other clouds call something else: links in answers lead there.
    """

    name: str
    services: Mapping[str, str] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()
    frontends: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> Json:
        """What stands at `/.well-known/openstackoid`."""
        told = {
            "cloud": self.name,
            "version": VERSION,
            "labels": sorted(self.labels),
            "services": {kind: {"url": url} for kind, url in sorted(self.services.items())},
        }
        frontends = {kind: {"url": url} for kind, url in sorted(self.frontends.items())}
        return told | ({"frontends": frontends} if frontends else {})

    @classmethod
    def from_json(cls, document: object) -> "Cloud":
        """Read what a peer says of itself; nothing of it is believed before its form is checked.

        Raises:
            ValueError: for anything but the form above; the message says what was expected.
        """
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise ValueError(f"expected an object with version {VERSION}")
        name, labels, services = document.get("cloud"), document.get("labels", []), document.get("services")
        if not isinstance(name, str) or not is_name(name):
            raise ValueError("expected the cloud's name at cloud")
        if not isinstance(labels, list) or not all(isinstance(label, str) and is_name(label) for label in labels):
            raise ValueError("expected a list of labels at labels")
        return cls(name, _urls(services), frozenset(labels), _urls(document.get("frontends", {})))


def _urls(services: object) -> dict[str, str]:
    if not isinstance(services, dict):
        raise ValueError("expected an object at services")  # noqa: TRY004 - one error for one caller
    urls = {}
    for kind, service in services.items():
        official = service_type(kind)
        url = service.get("url") if isinstance(service, dict) else None
        if official is None or not isinstance(url, str):
            raise ValueError("expected service types with a url each at services")
        urls[official] = base_url(url)
    return urls


def base_url(url: str) -> str:
    """The form in which base URLs are compared: lower scheme and host, no default port, no slash at the end.

    Raises:
        ValueError: what is not http(s)://host[:port][/path] in printable ASCII, or holds a user, a query or a fragment.
    """
    parts = urlsplit(url)
    printable = url.isascii() and url.isprintable() and not set(url) & set(' "<>\\^`{|}')
    if not printable or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"expected http(s)://host[:port][/path], not {url!r}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("expected a URL without user, query or fragment")
    if parts.port == 0 or any(segment in {".", ".."} for segment in parts.path.split("/")):
        raise ValueError(f"expected a port above 0 and a path without dots, not {url!r}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def catalog(endpoints: Mapping[str, str], region: str) -> list[Json]:
    """A catalog in Keystone's form from service type -> URL, one endpoint for each interface; ids are made of the names."""
    return [
        {
            "type": kind,
            "name": kind,
            "id": _id(kind),
            "endpoints": [
                {
                    "id": _id(kind, interface, region),
                    "interface": interface,
                    "region": region,
                    "region_id": region,
                    "url": url,
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for kind, url in sorted(endpoints.items())
    ]


def _id(*names: str) -> str:
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:32]


def templated(entries: list[Json], project_id: str | None) -> list[Json]:
    """A catalog as it was before a project's id was put into its URLs."""
    return _with_urls(entries, lambda url: url.replace(project_id, PROJECT) if project_id else url)


def filled(entries: list[Json], project_id: str | None) -> list[Json]:
    """A templated catalog for a project. Without one, endpoints that need it are left out, as Keystone does."""
    if project_id:
        return _with_urls(entries, lambda url: url.replace(PROJECT, project_id))
    return [
        {
            **service,
            "endpoints": [point for point in service.get("endpoints", []) if PROJECT not in point.get("url", "")],
        }
        for service in entries
    ]


def _with_urls(entries: list[Json], change: Any) -> list[Json]:
    return [
        {
            **service,
            "endpoints": [{**point, "url": change(point.get("url", ""))} for point in service.get("endpoints", [])],
        }
        for service in entries
    ]
