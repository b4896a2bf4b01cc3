"""HAProxy's plan, made from the gateway's configuration."""

import argparse
import asyncio
from pathlib import Path
from urllib.parse import urlsplit

from openstackoid.core.errors import ConfigError
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.config import Config
from openstackoid.gateway.settings.fields import Tls
from openstackoid.gateway.settings.loading import load
from openstackoid.gateway.upstream import backends
from openstackoid.gateway.upstream.pool import Pool
from openstackoid.haproxy import image_downloads
from openstackoid.haproxy.plan import Front, Images, Plan, Service


def plan_of(configuration: Config, bases: dict[str, str], directory: Path | None = None) -> Plan:
    """The plan of a configuration.

    Args:
        configuration: with a `haproxy` section.
        bases: official service type -> base URL of the backend.
        directory: where the files go; the configuration's if not given.

    Raises:
        ConfigError: no `haproxy` section.
    """
    if configuration.haproxy is None:
        raise ConfigError("expected a haproxy section in the gateway's configuration: haproxy: {gateway: 127.0.0.3}")
    folder = directory or configuration.haproxy.directory
    fronts: dict[str, list[Service]] = {}
    for kind, service in configuration.services.items():
        official = service_type(kind) or kind
        parts, prefix = urlsplit(bases[official]), urlsplit(service.frontend).path
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        place = Service(
            official,
            prefix,
            f"{parts.hostname}:{port}",
            tls=parts.scheme == "https",
            https=service.frontend.startswith("https://"),
            direct=parts.path == prefix,
            inside=tuple(sorted(configuration.inside_hosts(service))),
        )
        fronts.setdefault(service.address, []).append(place)
    certificate = folder / "front.pem" if configuration.tls else None
    listed = [Front(address, certificate, tuple(services)) for address, services in fronts.items()]
    if configuration.peering:
        pem, services = folder / "peering.pem", [service for front in fronts.values() for service in front]
        images = _images(configuration.peering.url, services, bases)
        listed.append(Front(configuration.peering.address, pem if configuration.peering.tls else None, (), images))
    times = configuration.timeouts
    return Plan(
        configuration.cloud,
        tuple(listed),
        configuration.haproxy.gateway,
        folder,
        configuration.ca,
        times.connect,
        times.idle,
        configuration.haproxy.threads,
        None if configuration.haproxy.log == "none" else configuration.haproxy.log,
        _pems(configuration, folder),
        configuration.haproxy.metrics,
        cors=configuration.cors is not None,
    )


def _images(url: str, services: list[Service], bases: dict[str, str]) -> Images | None:
    """Where other clouds' users download image data, below the peering URL; None if they need the gateway for it."""
    prefix = f"{urlsplit(url).path}/image"
    for service in services:
        base = urlsplit(bases[service.kind]).path
        if service.kind == "image" and image_downloads.is_base(prefix) and image_downloads.is_base(base):
            return Images(prefix, base, service.backend, service.tls, url.startswith("https://"), service.direct)
    return None


def plan_for(arguments: argparse.Namespace, directory: Path | None = None) -> Plan:
    """The plan for a command's --config; its files go into the given folder, --out, or the configuration's directory.

    Raises:
        ConfigError: the configuration is wrong, or has no `haproxy` section.
    """
    configuration = load(arguments.config)
    return plan_of(configuration, asyncio.run(_bases(configuration)), directory or arguments.out)


async def _bases(configuration: Config) -> dict[str, str]:
    pool = Pool(configuration)
    try:
        return dict((await backends.find(configuration, pool.shared)).bases)
    finally:
        await pool.close()


def _pems(configuration: Config, folder: Path) -> tuple[tuple[Path, Tls], ...]:
    pairs = (
        ("front.pem", configuration.tls),
        ("peering.pem", configuration.peering.tls if configuration.peering else None),
    )
    return tuple((folder / name, tls) for name, tls in pairs if tls)
