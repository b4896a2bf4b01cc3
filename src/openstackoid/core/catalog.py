"""Clouds and their services, as values; and Keystone's catalog, from and to its JSON.

A cloud publishes its services to its peers at `/.well-known/openstackoid`:

    {"cloud": "CloudTwo", "version": 1, "labels": ["edge"], "services": {"image": {"url": "http://10.0.0.2:9292"}}}

A Keystone catalog is a list of services, each with its endpoints (keystone/catalog/core.py, `get_v3_catalog`):

    [{"type": "image", "name": "glance", "endpoints": [{"interface": "public", "region": "RegionOne", "url": ...}]}]

A URL of a catalog may hold the project's id, where the template had `%(project_id)s` (keystone/common/utils.py,
`format_url`): a catalog is turned back into that template before it is cached.
"""

import hashlib
import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from openstackoid.core import limits
from openstackoid.core.id_forms import like_domain
from openstackoid.core.limits import shown
from openstackoid.core.scope import is_name
from openstackoid.core.services import service_type

VERSION: Final = 1
PROJECT: Final = "%(project_id)s"
# Base URLs are used in links, in HAProxy's maps and in commands of its admin socket. So only a part of RFC 3986 (appendix A) is accepted: no user,
# query or fragment; in a path no escapes, which two readers could decode differently, and no `;`, which ends a command.
_BASE: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9][a-z0-9._-]*|\[(?P<ipv6>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>(?:/[a-z0-9._~!$&'()*+,=:@-]+)*)/*\Z",
    re.ASCII | re.IGNORECASE,
)
_PORTS: Final = {"http": 80, "https": 443}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cloud:
    """A cloud as others see it.

    Attributes:
        name: unique among those who collaborate.
        services: official service type -> base URL of its frontend, without a slash at its end.
        labels: the labels that `@label` matches.
        frontends: the URLs that its own users call, if other clouds call other URLs: links in answers lead there.
    """

    name: str
    services: Mapping[str, str] = field(default_factory=dict)
    labels: frozenset[str] = frozenset()
    frontends: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> Json:
        """The document at `/.well-known/openstackoid`."""
        document = {
            "cloud": self.name,
            "version": VERSION,
            "labels": sorted(self.labels),
            "services": {kind: {"url": url} for kind, url in sorted(self.services.items())},
        }
        frontends = {kind: {"url": url} for kind, url in sorted(self.frontends.items())}
        return document | ({"frontends": frontends} if frontends else {})

    @classmethod
    def from_json(cls, document: object) -> "Cloud":
        """Read a peer's document about itself; the whole document is validated before any of it is used.

        Raises:
            ValueError: the document has another form than above; the message names what was expected.
        """
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise ValueError(f"expected an object with version {VERSION}")
        name, labels, services = document.get("cloud"), document.get("labels", []), document.get("services")
        if not isinstance(name, str):
            raise ValueError("expected the cloud's name at cloud")  # noqa: TRY004 - one error for one caller
        if (
            not isinstance(labels, list)
            or len(labels) > limits.LABELS
            or not all(isinstance(label, str) and is_name(label) for label in labels)
        ):
            raise ValueError(f"expected a list of {limits.LABELS} labels at most at labels")
        frontends = document.get("frontends", {})
        return cls(cloud_name(name), _urls("services", services), frozenset(labels), _urls("frontends", frontends))


def cloud_name(text: str) -> str:
    """Check a cloud's name. Tokens of its users have it as their domain's id (`gateway.senders.token_body`), so it must not be a real domain's id.

    Raises:
        ValueError: the text cannot be a cloud's name.
    """
    if not is_name(text):
        raise ValueError(
            "expected the cloud's name: letters, digits, dots, - and _, 64 at most, a letter or digit first"
        )
    if like_domain(text):
        raise ValueError(f"a cloud named {text} would be taken for Keystone's domain of that id")
    return text


def _urls(place: str, services: object) -> dict[str, str]:
    if not isinstance(services, dict) or len(services) > limits.SERVICES:
        raise ValueError(f"expected an object of {limits.SERVICES} services at most at {place}")
    urls: dict[str, str] = {}
    for kind, service in services.items():
        official = service_type(kind)
        url = service.get("url") if isinstance(service, dict) else None
        if official is None or official in urls or not isinstance(url, str):
            raise ValueError(f"expected service types, none twice, with a url each at {place}, not {shown(str(kind))}")
        urls[official] = base_url(url)
    return urls


def base_url(url: str) -> str:
    """The form in which base URLs are compared: lower scheme and host, no default port, no slash at the end.

    Raises:
        ValueError: the text is not http(s)://host[:port][/path] in the characters and lengths that are accepted here.
    """
    match = _BASE.match(url) if len(url) <= limits.URL else None
    if match is None or len(match["host"]) > limits.HOST or len(match["path"]) > limits.PATH:
        raise ValueError(
            f"expected http(s)://host[:port][/path] of {limits.URL} characters at most, the path of {limits.PATH}, in letters, "
            # The text before an @ may be a password.
            f"digits and -._~!$&'()*+,=:@, not {'one with a user' if '@' in url else shown(url)}"
        )
    if match["ipv6"]:
        ipaddress.IPv6Address(match["ipv6"])  # or a ValueError
    scheme, port = match["scheme"].lower(), int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 1 << 16:
        raise ValueError(f"expected a port from 1 to 65535, not {shown(url)}")
    if any(segment in {".", ".."} for segment in match["path"].split("/")):
        raise ValueError(f"expected a path without dots, not {shown(url)}")
    written = "" if port in {None, _PORTS[scheme]} else f":{port}"
    return f"{scheme}://{match['host'].lower()}{written}{match['path']}"


def catalog(endpoints: Mapping[str, str], region: str) -> list[Json]:
    """A catalog in Keystone's form from service type -> URL, one endpoint for each interface; ids are derived from the names."""
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


def of_endpoints(services: list[Json], endpoints: list[Json]) -> list[Json]:
    """The whole catalog, templated, from Keystone's `GET /v3/services` and `GET /v3/endpoints` (keystone/catalog/backends/sql.py, `get_v3_catalog`).

    An endpoint whose URL needs more than the project's id is left out: of its other templates, only a user's id differs by token.
    """
    entries: dict[str, Json] = {
        service["id"]: {"type": service["type"], "name": service.get("name", ""), "id": service["id"], "endpoints": []}
        for service in services
        if service.get("enabled", True)
    }
    for endpoint in endpoints:
        url = endpoint["url"].replace("$(", "%(").replace("%(tenant_id)s", PROJECT)
        entry = entries.get(endpoint["service_id"])
        if entry is not None and endpoint.get("enabled", True) and "%" not in url.replace(PROJECT, ""):
            kept = {name: endpoint.get(name) for name in ("id", "interface", "region_id")}
            entry["endpoints"].append(kept | {"region": endpoint.get("region_id"), "url": url})
    return list(entries.values())


def _id(*names: str) -> str:
    return hashlib.sha256("/".join(names).encode()).hexdigest()[:32]


def templated(entries: list[Json], project_id: str | None) -> list[Json]:
    """A catalog as it was before a project's id was put into its URLs."""
    return _with_urls(entries, lambda url: url.replace(project_id, PROJECT) if project_id else url)


def filled(entries: list[Json], project_id: str | None) -> list[Json]:
    """A templated catalog for a project. Without a project, endpoints that need its id are left out, as Keystone does."""
    if project_id:
        return _with_urls(entries, lambda url: url.replace(PROJECT, project_id))
    return [
        {
            **service,
            "endpoints": [point for point in service.get("endpoints", []) if PROJECT not in point.get("url", "")],
        }
        for service in entries
    ]


def through(entries: list[Json], bases: Collection[str]) -> list[Json]:
    """A catalog without endpoints that lead around the gateway, as far as another endpoint of the same service and region leads through it.

    Args:
        entries: of a catalog.
        bases: base URLs of the gateway's frontends.
    """

    def leads(url: str) -> bool:
        return any(url == base or (url.startswith(base) and url[len(base)] in "/?") for base in bases)

    changed = []
    for service in entries:
        points = service.get("endpoints", [])
        # The public one last, so that it is the one that is kept of several.
        ordered = sorted(points, key=lambda point: bool(point.get("interface") == "public"))
        by_region = {point.get("region"): point["url"] for point in ordered if leads(point.get("url", ""))}
        changed.append(
            {
                **service,
                "endpoints": [
                    point
                    if leads(point.get("url", ""))
                    else {**point, "url": by_region.get(point.get("region"), point.get("url"))}
                    for point in points
                ],
            }
        )
    return changed


def _with_urls(entries: list[Json], change: Any) -> list[Json]:
    return [
        {
            **service,
            "endpoints": [{**point, "url": change(point.get("url", ""))} for point in service.get("endpoints", [])],
        }
        for service in entries
    ]
