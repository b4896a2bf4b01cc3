"""A report for people of the services, peers and saved scopes of a configuration."""

from collections.abc import Iterator

from openstackoid.core import scope as scopes
from openstackoid.core.services import service_type
from openstackoid.gateway.settings.config import Config


def report(config: Config) -> str:
    """Services with frontends and backends, peers, saved scopes."""
    services = [
        (service_type(kind) or kind, service.frontend, service.address, service.backend or "(from the catalog)")
        for kind, service in config.services.items()
    ]
    peers = [
        (name, peer.url, peer.token, ", ".join(sorted(peer.services or {})) or "(asked for)")
        for name, peer in config.peers.items()
    ]
    saved = [(name, scopes.format(scope)) for name, scope in config.scopes.items()]
    parts = [
        f"cloud {config.cloud}, region {config.region}",
        _table(("Service", "Frontend", "Listens at", "Backend"), sorted(services)),
        _table(("Peer", "URL", "Token", "Services"), sorted(peers)) if peers else "no peers",
        _table(("Saved scope", "Means"), sorted(saved)) if saved else "no saved scopes",
    ]
    return "\n\n".join(parts)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def lines() -> Iterator[str]:
        for row in (head, tuple("-" * width for width in widths), *rows):
            yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    return "\n".join(lines())
