"""Where this cloud's services really listen: from the configuration, or from the cloud's own Keystone catalog."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import orjson

from openstackoid.core.catalog import PROJECT, base_url
from openstackoid.core.errors import ConfigError
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.fields import Catalog
from openstackoid.gateway.upstream.failures import reason

# A catalog shows versioned URLs; a gateway forwards below the root.
_VERSION: Final = re.compile(r"/v\d+(?:\.\d+)?(?:/.*)?$")
_CREATED: Final = 201


@dataclass(frozen=True, slots=True)
class Backends:
    """Official service type -> base URL of the backend; and -> URL as in this cloud's catalog."""

    bases: Mapping[str, str]
    endpoints: Mapping[str, str]


async def find(config: Config, session: aiohttp.ClientSession) -> Backends:
    """The backends of a configuration; asks Keystone only for those that it does not name.

    Raises:
        ConfigError: Keystone cannot be asked, or its catalog lacks a service.
    """
    bases, endpoints, missing = {}, config.endpoints, {}
    for kind, service in config.services.items():
        official = service_type(kind) or kind
        if service.backend is None:
            missing[official] = service
        else:
            bases[official] = service.backend
    if missing and config.catalog:
        catalog = await _catalog(config.catalog, _region(config), session)
        for kind, service in missing.items():
            if kind not in catalog:
                raise ConfigError(
                    f"services.{kind}.backend: the catalog at {config.catalog.auth_url} has no {kind} endpoint at "
                    f"interface {config.catalog.interface}{_in(_region(config))}. It has: {', '.join(sorted(catalog)) or 'none'}."
                )
            root = base_url(_VERSION.sub("", catalog[kind]))
            if root == service.frontend:
                raise ConfigError(f"services.{kind}.backend: the catalog's {root} is the frontend itself: a loop")
            bases[kind] = root
            if service.endpoint is None:
                endpoints[kind] = service.frontend + catalog[kind][len(root) :]
    return Backends(bases, endpoints)


def _region(config: Config) -> str | None:
    """The region that the file names; None if it names none."""
    named = config.region if "region" in config.model_fields_set else None
    return (config.catalog.region if config.catalog else None) or named


def _in(region: str | None) -> str:
    return f" in region {region}" if region else ""


async def _catalog(section: Catalog, region: str | None, session: aiohttp.ClientSession) -> dict[str, str]:
    user = {
        "name": section.username,
        "domain": {"name": section.user_domain_name},
        "password": section.password_file.read_text().strip(),
    }
    project = {"name": section.project_name, "domain": {"name": section.project_domain_name}}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}}
    url = f"{section.auth_url}/auth/tokens"
    headers = {"Content-Type": "application/json"}
    try:
        async with session.post(url, data=orjson.dumps(body), headers=headers, allow_redirects=False) as answer:
            document = orjson.loads(await answer.read())
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise ConfigError(f"catalog.auth_url: {section.auth_url} cannot be asked: {reason(error)}") from None
    except orjson.JSONDecodeError:
        raise ConfigError(f"catalog.auth_url: expected Keystone's v3 API at {section.auth_url}, got no JSON") from None
    if answer.status != _CREATED:
        raise ConfigError(f"catalog: Keystone refused {section.username} with status {answer.status}")
    token = document["token"]
    return _urls(token["catalog"], token["project"]["id"], section.interface, region)


def _urls(catalog: list[dict[str, Any]], project: str, interface: str, region: str | None) -> dict[str, str]:
    """Official service type -> URL, of one region.

    Raises:
        ConfigError: no region is named, and the services have several.
    """
    points = [
        (service_type(service["type"]) or service["type"], point["region_id"], point["url"])
        for service in catalog
        for point in service["endpoints"]
        if point["interface"] == interface and region in {None, point["region_id"]}
    ]
    if region is None:
        regions: dict[str, set[str]] = {}
        for kind, name, _ in points:
            regions.setdefault(kind, set()).add(name)
        several = sorted({name for names in regions.values() if len(names) > 1 for name in names})
        if several:
            raise ConfigError(
                f"region: the catalog has the regions {', '.join(several)}. Name the one of this gateway."
            )
    return {kind: url.rstrip("/").replace(project, PROJECT) for kind, _, url in points}
