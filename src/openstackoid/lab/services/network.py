"""Neutron: networks, without agents."""

import os
import sys
from pathlib import Path
from typing import Any

from . import common

DATABASES = ("neutron",)


def preload() -> None:
    """Import neutron."""
    common.load(
        (
            "neutron.server.api",
            "neutron.api.views.versions",
            "neutron.auth",
            "neutron.db.quota.driver_nolock",
            "neutron.notifiers.nova",
            "neutron.pecan_wsgi.app",
            "neutron.pecan_wsgi.startup",
            "neutron.plugins.ml2.plugin",
            "neutron.plugins.ml2.drivers.type_local",
            "neutron.db.migration.models.head",
            "neutron.plugins.ml2.extensions.port_security",
            "neutron.services.auto_allocate.plugin",
            "neutron.services.flavors.flavors_plugin",
            "neutron.services.l3_router.l3_router_plugin",
            "neutron.scheduler.dhcp_agent_scheduler",
            "neutron.scheduler.l3_agent_scheduler",
            "neutron.services.l3_router.service_providers.dvrha",
            "neutron.services.l3_router.service_providers.single_node",
            "neutron.services.network_ip_availability.plugin",
            "neutron.services.revisions.revision_plugin",
            "neutron.services.tag.tag_plugin",
            "neutron.services.timestamp.timestamp_plugin",
        )
    )


def make_schema(folder: Path, urls: dict[str, str]) -> None:
    """Create neutron's tables from its models, and say that they are migrated.

    The migrations themselves do not run on SQLite ("No support for ALTER of constraints"). What they insert besides,
    the default rules of security groups (versions/2023.2/expand/c33da356b165), is inserted here.
    """
    import sqlalchemy as sa  # noqa: PLC0415
    from alembic import command  # noqa: PLC0415
    from neutron.db.migration import cli  # noqa: PLC0415
    from neutron.db.migration.models import head  # noqa: PLC0415

    path = folder / "neutron.conf"
    path.write_text(f"[database]\nconnection = {urls['neutron']}\n")
    cli.CONF(["current"], project="neutron", default_config_files=[str(path)])
    engine = sa.create_engine(urls["neutron"])
    with engine.begin() as connection:
        head.get_metadata().create_all(connection)
        config = cli.get_neutron_config()
        rules = rule_migration(config)
        for rule in rules.default_template_rules:
            fields = dict(rule)
            made: Any = connection.execute(
                sa.insert(rules.standardattr).values(
                    description=fields.pop("description"), resource_type=rules.table_name
                )
            )
            table = head.get_metadata().tables[rules.table_name]
            connection.execute(sa.insert(table).values(**fields, standard_attr_id=made.inserted_primary_key[0]))
    engine.dispose()
    command.stamp(config, "heads")


def rule_migration(config: Any) -> Any:
    """Find neutron's migration that holds the default rules."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory.from_config(config).get_revision("c33da356b165").module


def prepare(_order: dict[str, Any]) -> None:
    """Have nothing to prepare."""


def application(order: dict[str, Any]) -> Any:
    """Give neutron's WSGI application, as neutron.wsgi.api does."""
    common.set_folder("OS_NEUTRON_CONFIG_DIR", order["etc"])
    os.environ["OS_NEUTRON_CONFIG_FILES"] = "neutron.conf"
    sys.argv = ["neutron-api"]
    from neutron import server  # noqa: PLC0415
    from neutron.server import api  # noqa: PLC0415

    application = server.boot_server(api.api_server, prog="neutron-api")
    send_nothing_to_agents()
    return application


def send_nothing_to_agents() -> None:
    """Unsubscribe what reads each object again after a change, to send it to agents: there are none."""
    from neutron_lib.callbacks import registry  # noqa: PLC0415
    from neutron_lib.plugins import directory  # noqa: PLC0415

    plugin: Any = directory.get_plugin()
    for handler in plugin._ovo_notifier._resource_handlers.values():  # noqa: SLF001
        registry.unsubscribe_all(handler.handle_event)
