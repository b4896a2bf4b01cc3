"""A cloud at the wire as far as all clouds are alike: its Keystone, and where its services are."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from tests.oaktree.upstream import TOKEN, Seen, Upstream, reply

PROJECT = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


class Keystone:
    """Tokens of alice, for anybody, and the versions of services, on one loopback port; what the services do, subclasses say."""

    def __init__(self, services: Mapping[str, str]) -> None:
        """With a catalog of these: type of service -> path."""
        self._services = {"identity": "/identity/v3", **services}
        self._upstream = Upstream(self._answer)

    @property
    def url(self) -> str:
        return self._upstream.url

    @property
    def seen(self) -> list[Seen]:
        return self._upstream.seen

    def close(self) -> None:
        self._upstream.close()

    def _answer(self, seen: Seen, _sock: socket.socket) -> bytes | None:
        path = seen.target.partition("?")[0]
        if path.endswith("/auth/tokens"):
            return reply(201, self._token(), {"X-Subject-Token": TOKEN})
        return self._version(path.rstrip("/")) or self._serve(seen, path)

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        """What the services answer, or None to end the connection."""
        return reply(404, {"error": {"message": f"nothing to {seen.method} at {path}"}})

    def _version(self, path: str) -> bytes | None:
        def shown(number: str, at: str, **more: Any) -> dict[str, Any]:
            return {"id": number, "status": "CURRENT", "links": [{"rel": "self", "href": f"{self.url}{at}"}], **more}

        match path:
            case "" | "/identity" | "/identity/v3":
                version = shown("v3.14", "/identity/v3", status="stable", **{"media-types": []})
            case "/compute/v2.1":
                version = shown("v2.1", path, version="2.90", min_version="2.1")
            case "/volume/v3":
                version = shown("v3.0", path, version="3.60", min_version="3.0")
            case "/network" | "/network/v2.0":
                return reply(200, {"versions": [shown("v2.0", "/network/v2.0")]})
            case "/image" | "/image/v2":
                # Glance has several choices, even where it has one.
                return reply(300, {"versions": [shown("v2.16", "/image/v2/")]})
            case _:
                return None
        return reply(200, {"version": version})

    def _token(self) -> dict[str, Any]:
        def service(kind: str, path: str) -> dict[str, Any]:
            endpoint = {"interface": "public", "region_id": "RegionOne", "region": "RegionOne", "url": self.url + path}
            return {"type": kind, "name": kind, "id": kind, "endpoints": [{**endpoint, "id": kind}]}

        domain = {"id": "default", "name": "Default"}
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": "0a", "name": "alice", "domain": domain},
                "project": {"id": PROJECT, "name": "demo", "domain": domain},
                "roles": [{"id": "1", "name": "member"}],
                "expires_at": "2199-01-01T00:00:00.000000Z",
                "issued_at": "2026-01-01T00:00:00.000000Z",
                "catalog": [service(kind, path) for kind, path in self._services.items()],
            }
        }


def entry(url: str, username: str = "alice") -> dict[str, Any]:
    """What a clouds.yaml has of a cloud below a URL."""
    return {
        "auth": {
            "auth_url": f"{url}/identity/v3",
            "username": username,
            "password": "secret-of-alice",
            "project_name": "demo",
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        },
        "region_name": "RegionOne",
    }


def clouds_yaml(folder: Path, clouds: Mapping[str, Keystone], **more: Mapping[str, Any]) -> Path:
    """A clouds.yaml of them, with more settings of some."""
    entries = {name: {**entry(cloud.url), **more.get(name, {})} for name, cloud in clouds.items()}
    path = folder / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": entries}))
    return path
