"""What stands around the clouds, as values to be written as YAML: the gateways' configuration and ``clouds.yaml``. Pure."""

from collections.abc import Mapping
from typing import Any

from .config import Secrets
from .layout import REGION, SERVICES, Cloud

MEMBER = "alice"
PROJECT = "demo"


def gateway(cloud: Cloud, clouds: Mapping[str, Cloud]) -> dict[str, Any]:
    """Give a cloud's gateway: its services, and the other clouds as peers.

    Tokens pass through: all clouds of a lab have one owner.
    """
    peers = [other for other in clouds.values() if other.name != cloud.name]
    return {
        "cloud": cloud.name,
        "region": REGION,
        "audit": str(cloud.audit),
        "admin": {"listen": cloud.gateway_admin.removeprefix("http://")},
        "services": {
            kind: {
                "frontend": cloud.frontend(kind),
                "backend": cloud.backend(kind),
                "endpoint": cloud.endpoint(kind),
            }
            for kind in SERVICES
        },
        "peers": {peer.name: {"url": peer.frontend("identity"), "token": "pass-through"} for peer in peers},
        "scopes": {f"images-from-{peer.name}": {"image": peer.name} for peer in peers},
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
    """Give one user's entry."""
    return {
        "auth": {
            "auth_url": cloud.auth_url,
            "username": user,
            "password": password,
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": REGION,
        "identity_api_version": 3,
    }
