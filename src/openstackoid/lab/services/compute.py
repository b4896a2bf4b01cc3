"""Nova: API, conductor, scheduler and compute of one cloud, in one process.

One process, since their messages then travel by oslo.messaging's ``fake://`` driver, within the process, and need no
RabbitMQ. They run on native threads, which is nova's default since 34.
"""

import os
import sqlite3
import sys
import uuid
from pathlib import Path
from typing import Any

from . import common

DATABASES = ("nova_api", "nova")

CELL0 = "00000000-0000-0000-0000-000000000000"


def preload() -> None:
    """Import nova, with its own way of staying off eventlet."""
    from nova import monkey_patch  # noqa: PLC0415

    monkey_patch.patch(backend="threading")
    common.load(
        (
            "nova.api.openstack.wsgi_app",
            "nova.api.openstack.compute.routes",
            "nova.compute.manager",
            "nova.conductor.manager",
            "nova.scheduler.manager",
            "nova.network.neutron",
            "nova.db.migration",
            "nova.objects.host_mapping",
            "nova.api.auth",
            "nova.api.compute_req_id",
            "nova.api.openstack.requestlog",
            "nova.servicegroup.drivers.db",
        )
    )
    common.load_drivers("os-vif", "os_vif")
    from . import guests  # noqa: PLC0415

    # nova loads its driver from below nova.virt only (nova/virt/driver.py, load_compute_driver).
    sys.modules["nova.virt.openstackoid_lab"] = guests


def make_schema(folder: Path, urls: dict[str, str]) -> None:
    """Run nova's migrations of both databases."""
    from nova import config  # noqa: PLC0415
    from nova.db import migration  # noqa: PLC0415

    path = folder / "nova.conf"
    path.write_text(f"[database]\nconnection = {urls['nova']}\n[api_database]\nconnection = {urls['nova_api']}\n")
    config.parse_args(["nova-manage"], default_config_files=[str(path)], init_rpc=False)
    migration.db_sync(database="api")
    migration.db_sync(database="main")


def prepare(order: dict[str, Any]) -> None:
    """Map the two cells, as ``nova-manage cell_v2 map_cell0`` and ``create_cell`` do."""
    Path(order["state"]).mkdir(mode=0o700, exist_ok=True)
    main = Path(order["databases"]["nova"])
    cell0 = main.with_name("nova_cell0.sqlite")
    if not cell0.exists():
        with sqlite3.connect(main) as source, sqlite3.connect(cell0) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=WAL")
        cell0.chmod(0o600)
    rows = (
        (CELL0, "cell0", "none:///", common.url(cell0)),
        (str(uuid.uuid4()), "cell1", "fake://", common.url(main)),
    )
    with sqlite3.connect(order["databases"]["nova_api"], timeout=60) as connection:
        if connection.execute("SELECT COUNT(*) FROM cell_mappings").fetchone()[0] == 0:
            connection.executemany(
                "INSERT INTO cell_mappings (created_at, uuid, name, transport_url, database_connection, disabled)"
                " VALUES (CURRENT_TIMESTAMP, ?, ?, ?, ?, 0)",
                rows,
            )


def application(order: dict[str, Any]) -> Any:
    """Give nova's WSGI application, once the other three run.

    They log in to keystone and ask placement when they are created, so both must answer by then.
    """
    common.set_folder("OS_NOVA_CONFIG_DIR", order["etc"])
    os.environ["OS_NOVA_CONFIG_FILES"] = "nova-api-paste.ini;nova.conf"
    sys.argv = ["nova-api"]
    from nova.api.openstack import wsgi_app  # noqa: PLC0415

    application = wsgi_app.init_application("osapi_compute", "nova-api")
    for address in order["needs"]:
        common.wait_until_answering(address)
    start_services()
    return application


def start_services() -> None:
    """Start conductor, scheduler and compute, in that order, and let the cell know its host."""
    import os_vif  # noqa: PLC0415
    from nova import context, service  # noqa: PLC0415
    from nova.compute import rpcapi as compute  # noqa: PLC0415
    from nova.conductor import rpcapi as conductor  # noqa: PLC0415
    from nova.objects import host_mapping  # noqa: PLC0415
    from nova.scheduler import rpcapi as scheduler  # noqa: PLC0415

    os_vif.initialize()
    for binary, topics in (
        ("nova-conductor", {"topic": conductor.RPC_TOPIC}),
        ("nova-scheduler", {"topic": scheduler.RPC_TOPIC}),
        ("nova-compute", {"topic": compute.RPC_TOPIC, "topic_alt": compute.RPC_TOPIC_ALT}),
    ):
        service.Service.create(binary=binary, **topics).start()
    host_mapping.discover_hosts(context.get_admin_context())
