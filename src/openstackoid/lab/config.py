"""The services' configuration files, from values to text. Pure.

Every address of another service is the cloud's *frontend*: requests between services go through the gateway as
well, so that a scope follows a request through the cloud. Only the address where a service listens is the backend.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .layout import REGION, Cloud
from .service_types import VOLUMES

Sections = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class Secrets:
    """The secrets of one cloud; made once, kept in its folder."""

    admin: str
    member: str
    services: Mapping[str, str]
    metadata: str


def render(sections: Sections) -> str:
    """Write sections as oslo.config reads them."""
    blocks = []
    for name, options in sections.items():
        lines = [f"{key} = {'' if value is None else text(value)}".rstrip() for key, value in options.items()]
        blocks.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(blocks) + "\n"


def text(value: object) -> str:
    """Write one value; oslo.config's ``$`` stands for a reference."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("$", "$$")


def database(cloud: Cloud, name: str) -> Mapping[str, object]:
    """The URL of a database.

    Not synchronous: data that a killed process wrote survives in the kernel's cache; a power failure is outside the lab's scope.
    """
    return {"connection": f"sqlite:///{cloud.database(name)}?timeout=60", "sqlite_synchronous": False}


def account(cloud: Cloud, secrets: Secrets, user: str) -> Mapping[str, object]:
    """Give the credentials that a service logs in with."""
    return {
        "auth_type": "password",
        "auth_url": cloud.auth_url,
        "username": user,
        "password": secrets.services[user],
        "user_domain_name": "Default",
        "project_name": "service",
        "project_domain_name": "Default",
        "region_name": REGION,
    }


def token_checks(cloud: Cloud, secrets: Secrets, user: str) -> Mapping[str, object]:
    """Give keystonemiddleware's options; service tokens need the role ``service``, as in production."""
    return {
        **account(cloud, secrets, user),
        "www_authenticate_uri": cloud.auth_url,
        "service_token_roles": "service",
        "service_token_roles_required": True,
        "service_type": {
            "nova": "compute",
            "glance": "image",
            "neutron": "network",
            "placement": "placement",
            "cinder": "block-storage",
        }[user],
    }


def common(cloud: Cloud, kind: str) -> dict[str, Mapping[str, object]]:
    """Give the options that all services have; ``X-Forwarded-*`` of a gateway is trusted."""
    return {
        "DEFAULT": {"debug": False, "use_stderr": True, "log_options": False},
        "oslo_middleware": {"enable_proxy_headers_parsing": True},
        "oslo_concurrency": {"lock_path": str(cloud.directory / "run" / f"{kind}-locks")},
    }


def identity(cloud: Cloud) -> Sections:
    """Give keystone.conf; the cheap password hashes are for labs only."""
    return {
        **common(cloud, "identity"),
        "database": database(cloud, "keystone"),
        "token": {"provider": "fernet"},
        "fernet_tokens": {"key_repository": str(cloud.etc / "fernet-keys")},
        "fernet_receipts": {"key_repository": str(cloud.etc / "receipt-keys")},
        "credential": {"key_repository": str(cloud.etc / "credential-keys")},
        "identity": {"password_hash_rounds": 4},
        # In memory, since each cloud's keystone is one process; without, it computes roles and catalog anew in each request. Values are copies.
        "cache": {"backend": "dogpile.cache.memory_pickle"},
    }


def image(cloud: Cloud, secrets: Secrets, environment: Path) -> Sections:
    """Give glance-api.conf."""
    sections = common(cloud, "image")
    return {
        **sections,
        "DEFAULT": {
            **sections["DEFAULT"],
            "enabled_backends": "fs:file",
            "enabled_import_methods": "[]",
            "worker_self_reference_url": cloud.backend("image"),
            "node_staging_uri": f"file://{cloud.images}-staging",
        },
        "database": database(cloud, "glance"),
        "glance_store": {"default_backend": "fs"},
        "fs": {"filesystem_store_datadir": str(cloud.images)},
        "os_glance_tasks_store": {"filesystem_store_datadir": f"{cloud.images}-tasks"},
        "os_glance_staging_store": {"filesystem_store_datadir": f"{cloud.images}-staging"},
        "keystone_authtoken": token_checks(cloud, secrets, "glance"),
        "paste_deploy": {
            "flavor": "keystone",
            "config_file": str(environment / "etc" / "glance" / "glance-api-paste.ini"),
        },
    }


def placement(cloud: Cloud, secrets: Secrets) -> Sections:
    """Give placement.conf."""
    return {
        **common(cloud, "placement"),
        "placement_database": database(cloud, "placement"),
        "api": {"auth_strategy": "keystone"},
        "keystone_authtoken": token_checks(cloud, secrets, "placement"),
    }


def compute(cloud: Cloud, secrets: Secrets) -> Sections:
    """Give nova.conf of API, conductor, scheduler and compute together.

    ``vif_plugging``: no agent will ever report that an interface is plugged.
    """
    sections = common(cloud, "compute")
    nova = account(cloud, secrets, "nova")
    return {
        **sections,
        "DEFAULT": {
            **sections["DEFAULT"],
            "host": f"{cloud.name.lower()}-compute",
            "my_ip": cloud.backend_host,
            "transport_url": "fake://",
            "state_path": str(cloud.directory / "nova"),
            "compute_driver": "openstackoid_lab.LabDriver",
            "vif_plugging_is_fatal": False,
            "vif_plugging_timeout": 0,
            "periodic_fuzzy_delay": 5,
        },
        "api_database": database(cloud, "nova_api"),
        "database": database(cloud, "nova"),
        "keystone_authtoken": token_checks(cloud, secrets, "nova"),
        "keystone": nova,
        "service_user": {**nova, "send_service_user_token": True},
        "placement": nova,
        "neutron": {**nova, "service_metadata_proxy": False, "metadata_proxy_shared_secret": secrets.metadata},
        "glance": {"region_name": REGION, "service_type": "image"},
        "cinder": {"os_region_name": REGION, "catalog_info": f"{VOLUMES.listed}::publicURL"},
        "oslo_messaging_notifications": {"driver": "noop"},
        "vnc": {"enabled": False},
        "workarounds": {"skip_cpu_compare_on_dest": True},
    }


def network(cloud: Cloud, secrets: Secrets, environment: Path) -> Sections:
    """Give neutron.conf with ML2's options, without agents."""
    sections = common(cloud, "network")
    return {
        **sections,
        "DEFAULT": {
            **sections["DEFAULT"],
            "host": f"{cloud.name.lower()}-network",
            "transport_url": "fake://",
            "core_plugin": "ml2",
            "service_plugins": "router",
            "api_paste_config": str(environment / "etc" / "neutron" / "api-paste.ini"),
            "auth_strategy": "keystone",
            "dhcp_agent_notification": False,
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
            "state_path": str(cloud.directory / "neutron"),
        },
        "database": database(cloud, "neutron"),
        "keystone_authtoken": token_checks(cloud, secrets, "neutron"),
        "nova": account(cloud, secrets, "neutron"),
        "placement": account(cloud, secrets, "neutron"),
        "oslo_messaging_notifications": {"driver": "noop"},
        "ml2": {
            "type_drivers": "local",
            "tenant_network_types": "local",
            "mechanism_drivers": "openstackoid_lab",
            "extension_drivers": "port_security",
        },
        "ml2_type_local": {},
        "securitygroup": {"enable_security_group": True},
        "experimental": {},
    }


def block_storage(cloud: Cloud, secrets: Secrets, environment: Path) -> Sections:
    """Give cinder.conf of API, scheduler and volume together."""
    sections, etc = common(cloud, VOLUMES.kind), environment / "etc" / "cinder"
    backend = {"volume_driver": "openstackoid_lab_volumes.LabDriver", "volume_backend_name": "lab"}
    return {
        **sections,
        "DEFAULT": {
            **sections["DEFAULT"],
            "host": f"{cloud.name.lower()}-volume",
            "my_ip": cloud.backend_host,
            "transport_url": "fake://",
            "auth_strategy": "keystone",
            "enabled_backends": "lab",
            # Several services of one process report as one of them (cinder/service.py, `Service.service_id`): the others would be taken for dead.
            "service_down_time": 10**9,
            "state_path": str(cloud.directory / "cinder"),
            "glance_api_servers": cloud.frontend("image"),
            "resource_query_filters_file": str(etc / "resource_filters.json"),
            "rootwrap_config": str(etc / "rootwrap.conf"),
            "api_paste_config": str(etc / "api-paste.ini"),
        },
        "database": database(cloud, "cinder"),
        "coordination": {"backend_url": f"file://{cloud.directory / 'cinder'}"},
        "keystone_authtoken": token_checks(cloud, secrets, "cinder"),
        "nova": account(cloud, secrets, "cinder"),
        "service_user": {**account(cloud, secrets, "cinder"), "send_service_user_token": True},
        "oslo_messaging_notifications": {"driver": "noop"},
        "lab": backend,
    }


def files(cloud: Cloud, secrets: Secrets, environment: Path) -> Mapping[str, str]:
    """Give all configuration files of a cloud's services: name -> text."""
    volumes = {"cinder.conf": render(block_storage(cloud, secrets, environment))} if VOLUMES.kind in cloud.kinds else {}
    return {
        **volumes,
        "keystone.conf": render(identity(cloud)),
        "glance-api.conf": render(image(cloud, secrets, environment)),
        "placement.conf": render(placement(cloud, secrets)),
        "nova.conf": render(compute(cloud, secrets)),
        "neutron.conf": render(network(cloud, secrets, environment)),
    }
