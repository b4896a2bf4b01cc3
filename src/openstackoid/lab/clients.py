"""Configuration around the clouds, as values to be written as YAML: the gateways' configuration and ``clouds.yaml``. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .config import Secrets
from .layout import REGION, Cloud
from .service_types import SERVICES

MEMBER = "alice"
PROJECT = "demo"
# Keystone's own first domain, where projects for other clouds' users are made too.
DOMAIN = "default"
REGIONS_TYPE = "virtual-region"
EDGE = "edge"  # the label of all clouds but the first


@dataclass(frozen=True)
class Terms:
    """The terms that the owners of a lab's clouds have agreed on.

    Attributes:
        fingerprints: of each cloud's key.
        projects: `each` or `same`, as in `State`.
        pseudonyms: whether the clouds hide their users' identities from each other.
    """

    fingerprints: Mapping[str, str]
    projects: str = "each"
    pseudonyms: bool = False


def gateway(cloud: Cloud, clouds: Mapping[str, Cloud], terms: Terms | None) -> dict[str, Any]:
    """Give a cloud's gateway: its services, and the other clouds as peers.

    Without terms, all clouds have one owner, and tokens pass through.
    """
    # With an aggregator agreements are in the database, where the control planes look for them.
    peers = [other for other in clouds.values() if other.name != cloud.name and not cloud.with_regions]
    return {
        "cloud": cloud.name,
        "region": REGION,
        "labels": [] if cloud.name == next(iter(clouds), cloud.name) else [EDGE],
        "audit": str(cloud.audit),
        "operators": {"audit": [str(cloud.log("haproxy"))] if cloud.with_haproxy else []},
        "admin": {"listen": cloud.gateway_admin.removeprefix("http://")},
        # One thread: several HAProxies share a machine with all of their clouds.
        **(
            {"haproxy": {"gateway": cloud.gateway_host, "directory": str(cloud.haproxy), "threads": 1}}
            if cloud.with_haproxy
            else {}
        ),
        "services": {
            kind: {
                "frontend": cloud.frontend(kind),
                "backend": cloud.backend(kind),
                "endpoint": cloud.endpoint(kind),
            }
            for kind in cloud.kinds
        },
        **(door(cloud) if terms else {}),
        "operations": {
            "database": f"sqlite:///{cloud.database('operations')}",
            "scan": 1,
            **({} if terms else {"keys": str(cloud.operations_keys)}),
        },
        "peers": {
            peer.name: agreement(peer, terms) if terms else {"url": peer.frontend("identity"), "token": "pass-through"}
            for peer in peers
        },
        "scopes": {f"images-from-{peer.name}": {"image": peer.name} for peer in peers},
    }


def door(cloud: Cloud) -> dict[str, Any]:
    """Give the settings that a gateway needs for clouds of other owners: a peering address with TLS, the authority, keys."""
    return {
        "peering": {
            "url": cloud.peering,
            "tls": {"certificate": str(cloud.certificate), "key": str(cloud.certificate_key)},
            **({"regions": cloud.regions_peers} if cloud.with_regions else {}),
        },
        "ca": str(cloud.ca),
        "trust": {
            "keys": str(cloud.keys),
            "database": f"sqlite:///{cloud.database('trust')}",
            "account": {
                "auth_url": cloud.backend("identity") + "/v3",
                "username": "admin",
                "password_file": str(cloud.trust_password),
                "project_name": "admin",
            },
        },
    }


def regions(cloud: Cloud) -> dict[str, Any]:
    """Give the configuration of a cloud's control plane of virtual regions."""
    about = {
        "gateway": cloud.frontend("identity"),
        "identity": cloud.auth_url,
        "username": "admin",
        "password_file": str(cloud.trust_password),
        "project_name": "admin",
    }
    return {
        "cloud": cloud.name,
        "keystone": cloud.backend("identity") + "/v3",
        "listen": cloud.regions.removeprefix("http://"),
        "listen_peers": cloud.regions_peers.removeprefix("http://"),
        "database": f"sqlite:///{cloud.database('regions')}",
        "trust_database": f"sqlite:///{cloud.database('trust')}",
        "keys": str(cloud.keys),
        "ca": str(cloud.ca),
        # An aggregator may sell its regions on.
        **({"aggregator": about} if cloud.kinds == ("identity",) else {}),
        "provider": accounts(cloud),
    }


def accounts(cloud: Cloud) -> dict[str, Any]:
    """Give the accounts with which a provider sets up and cleans up: a user of each region's domain, whom its operators make, and the admin."""
    password = {"password_file": str(cloud.trust_password)}
    return {
        "manager": {"username": "openstackoid", **password},
        "admin": {"username": "admin", "project_name": "admin", **password},
    }


def agreement(peer: Cloud, terms: Terms) -> dict[str, Any]:
    """Give a cloud's side of its agreement with a peer; the roles and the `home` rules are the defaults."""
    return {
        "url": peer.peering,
        "tls_name": peer.certificate_name,
        "fingerprint": terms.fingerprints[peer.name],
        "allow": {
            # All but identity, which is never shared.
            "services": [kind for kind in peer.kinds if kind != "identity"],
            "projects": f"each:{DOMAIN}" if terms.projects == "each" else terms.projects,
            "pseudonyms": terms.pseudonyms,
        },
    }


def clouds_yaml(clouds: Mapping[str, Cloud], secrets: Mapping[str, Secrets]) -> dict[str, Any]:
    """Give ``clouds.yaml``: for each cloud its member under the cloud's name, and its admin under ``NAME-admin``."""
    entries = {}
    for name, cloud in clouds.items():
        known = secrets[name]
        entries[name] = entry(cloud, MEMBER, known.member, PROJECT)
        entries[f"{name}-admin"] = entry(cloud, "admin", known.admin, "admin")
    return {"clouds": entries}


def entry(cloud: Cloud, user: str, password: str, project: str) -> dict[str, Any]:
    """Give one user's entry.

    An aggregator's has no region: openstacksdk accepts no other one beside it (openstack/config/loader.py, `_get_region`).
    """
    return {
        "auth": {
            "auth_url": cloud.auth_url,
            "username": user,
            "password": password,
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        **({"region_name": REGION} if set(SERVICES) <= set(cloud.kinds) else {}),
        "identity_api_version": 3,
    }
