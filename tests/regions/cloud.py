"""A provider's cloud as a server on a socket: Keystone with the policies for domain managers, and what nova, neutron and glance refuse.

As keystone/common/policies/project.py and grant.py have it: the domain of the token must be the project's, also for a project that is not there
(403, not 404); roles above `manager` cannot be given.
"""

import json
import secrets
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web

MANAGER, MANAGER_PASSWORD, ADMIN = "openstackoid", "marker-password-of-the-manager", "cloud-admin"
_SERVICES: Final = {"compute": "/compute/v2.1", "network": "/network", "image": "/image"}
_LISTS: Final = {
    ("compute", "servers"): "servers",
    ("compute", "os-server-groups"): "server_groups",
    ("network", "floatingips"): "floatingips",
    ("network", "routers"): "routers",
    ("network", "ports"): "ports",
    ("network", "subnets"): "subnets",
    ("network", "networks"): "networks",
    ("network", "security-groups"): "security_groups",
    ("image", "images"): "images",
}


class Cloud:
    """What its tests can look at, and make fail.

    Attributes:
        base: URL at which it is served.
        domains, projects: id -> document.
        items: (service, list) -> id -> resource.
        usages: project -> what nova says that its servers were there.
        users: ids of its own users.
        keypairs: user -> names.
        deleted: servers that nova still knows.
        stuck: ids of resources that cannot be deleted.
        changes: method and path of each change.
        limit: changes after which everything is answered 503; None: never.
    """

    def __init__(self, base: str) -> None:
        self.base = base
        self.domains: dict[str, dict[str, Any]] = {}
        self.projects: dict[str, dict[str, Any]] = {}
        self.items: dict[tuple[str, str], dict[str, dict[str, Any]]] = {key: {} for key in _LISTS}
        self.users: set[str] = set()
        self.keypairs: dict[str, list[str]] = {}
        self.deleted: list[dict[str, Any]] = []
        self.stuck: set[str] = set()
        self.usages: dict[str, list[dict[str, Any]]] = {}
        self.changes: list[str] = []
        self.limit: int | None = None
        self._grants: set[tuple[str, str]] = set()
        self._tokens: dict[str, dict[str, Any]] = {}

    def add_domain(self, identity: str, roles: tuple[str, ...] = ("manager", "member", "reader")) -> None:
        """A domain with a user MANAGER."""
        self.domains[identity] = {"id": identity, "enabled": True, "roles": roles}

    def add_project(self, domain: str, name: str) -> str:
        """A project with one of each resource."""
        identity = secrets.token_hex(16)
        self.projects[identity] = {"id": identity, "name": name, "domain_id": domain, "enabled": True}
        return identity

    def fill(self, project: str) -> None:
        """One of everything, tied together as real ones are."""
        server, network, router = (secrets.token_hex(16) for _ in range(3))
        self.put("compute", "servers", project, id=server, name="vm", tenant_id=project, user_id=f"user-of-{project}")
        self.keypairs[f"user-of-{project}"] = ["key", "../other"]
        self.put("compute", "os-server-groups", project)
        self.put("network", "networks", project, id=network)
        self.put("network", "subnets", project, network_id=network)
        self.put("network", "routers", project, id=router)
        self.put("network", "ports", project, network_id=network, device_id=server, device_owner="compute:nova")
        self.put(
            "network", "ports", project, network_id=network, device_id=router, device_owner="network:router_interface"
        )
        self.put("network", "floatingips", project)
        self.put("network", "security-groups", project, name="default")
        self.put("network", "security-groups", project, name="web")
        self.put("image", "images", project, protected=True, visibility="private")
        self.put("image", "images", project, os_hidden=True, visibility="private")

    def put(self, service: str, collection: str, project: str, **fields: Any) -> str:
        """A resource of a project."""
        identity = str(fields.pop("id", secrets.token_hex(16)))
        owner = "owner" if service == "image" else "project_id"
        self.items[service, collection][identity] = {"id": identity, owner: project, **fields}
        return identity

    def of(self, project: str) -> dict[str, int]:
        """How many resources of each kind a project has."""
        counts = {
            name: sum(_owner(item) == project for item in items.values()) for (_, name), items in self.items.items()
        }
        return {name: count for name, count in counts.items() if count}

    def serves(self, request: web.BaseRequest, body: Any) -> bool:
        """Whether a request is this cloud's, and not of its catalog's administration."""
        if request.path.startswith(tuple(_SERVICES.values())):
            return True
        if request.path == "/v3/auth/tokens" and request.method == "POST":
            return bool(body["auth"]["identity"]["password"]["user"]["name"] in {MANAGER, ADMIN})
        return request.headers.get("X-Auth-Token", "") in self._tokens

    def answer(self, request: web.BaseRequest, body: Any) -> web.Response:
        """Answer as the service would."""
        if self.limit is not None and self.limit <= len(self.changes):
            return _refused(503)
        if request.path == "/v3/auth/tokens":
            return self._log_in(body["auth"])
        token = self._tokens.get(request.headers.get("X-Auth-Token", ""))
        if token is None:
            return _refused(401)
        if request.method != "GET":
            self.changes.append(f"{request.method} {request.path}")
        if request.path.startswith("/v3/"):
            return self._keystone(request, body, token)
        return self._service(request, body, token)

    def _log_in(self, auth: dict[str, Any]) -> web.Response:
        user, scope = auth["identity"]["password"]["user"], auth["scope"]
        name, domain = user["name"], user["domain"].get("id", "")
        if user["password"] != MANAGER_PASSWORD or (name == MANAGER and domain not in self.domains):
            return _refused(401)
        if name == ADMIN:
            token: dict[str, Any] = {"domain": None, "project": "admin", "roles": ["admin"], "user": ADMIN}
        elif "domain" in scope:
            if scope["domain"]["id"] != domain:
                return _refused(401)
            token = {"domain": domain, "project": None, "roles": self.domains[domain]["roles"], "user": f"u-{domain}"}
        else:
            project = self.projects.get(scope["project"]["id"])
            if project is None or not project["enabled"] or (project["id"], f"u-{domain}") not in self._grants:
                return _refused(401)
            token = {"domain": None, "project": project["id"], "roles": ["member"], "user": f"u-{domain}"}
        identity = secrets.token_hex(8)
        self._tokens[identity] = token
        catalog = [
            {"type": kind, "endpoints": [{"interface": "public", "url": self.base + path}]}
            for kind, path in _SERVICES.items()
        ]
        shown = {
            "user": {"id": token["user"]},
            "roles": [{"name": role} for role in token["roles"]],
            "catalog": catalog,
        }
        if token["domain"]:
            shown["domain"] = {"id": token["domain"]}
        return web.json_response({"token": shown}, status=201, headers={"X-Subject-Token": identity})

    def _keystone(self, request: web.BaseRequest, body: Any, token: dict[str, Any]) -> web.Response:
        _, _, collection, *rest = request.path.split("/")
        if collection == "roles":
            return web.json_response({"roles": [{"id": "role-member", "name": "member"}]})
        if collection == "users":
            return web.json_response({"user": {"id": rest[0]}}) if rest[0] in self.users else _refused(404)
        if collection == "domains" and rest[0] not in self.domains:
            return _refused(404)
        if collection == "domains":
            return web.json_response({"domain": self.domains[rest[0]]})
        if not rest and request.method == "GET":
            domain, admin = request.query.get("domain_id"), "admin" in token["roles"]
            rows = [project for project in self.projects.values() if domain in {None, project["domain_id"]}]
            return web.json_response({"projects": rows}) if admin or domain == token["domain"] else _refused(403)
        if not rest:
            asked = body["project"]
            if asked["domain_id"] != token["domain"] or "manager" not in token["roles"]:
                return _refused(403)
            identity = self.add_project(asked["domain_id"], asked["name"])
            return web.json_response({"project": self.projects[identity]}, status=201)
        project = self.projects.get(rest[0])
        if project is None or project["domain_id"] != token["domain"] or "manager" not in token["roles"]:
            return _refused(403)
        if len(rest) > 1:
            self._grants.add((rest[0], rest[2]))
            return web.Response(status=204)
        if request.method == "DELETE":
            del self.projects[rest[0]]
            return web.Response(status=204)
        project |= body["project"]
        return web.json_response({"project": project})

    def _service(self, request: web.BaseRequest, body: Any, token: dict[str, Any]) -> web.Response:
        parts = [part for part in request.rel_url.raw_path.split("/") if part and not part.startswith("v2")]
        service, collection, rest = parts[0], parts[1], [part for part in parts[2:] if part != "detail"]
        admin = "admin" in token["roles"]
        if collection in {"quotas", "os-quota-sets"}:
            return web.Response(status=204 if admin else 403)
        if collection == "os-simple-tenant-usage":
            used = self.usages.get(rest[0], []) if admin or rest[0] == token["project"] else None
            return _refused(403) if used is None else web.json_response({"tenant_usage": {"server_usages": used}})
        if collection == "os-keypairs":
            return self._keypair(request, rest, admin=admin)
        if collection == "servers" and request.query.get("deleted") == "1":
            rows = [row for row in self.deleted if admin and _owner(row) == request.query.get("project_id")]
            return web.json_response({"servers": rows})
        if (service, collection) not in self.items:
            return _refused(404)
        items = self.items[service, collection]
        wanted = request.query.get("project_id") or request.query.get("owner") or token["project"]
        if not rest:
            device, hidden = request.query.get("device_id"), request.query.get("os_hidden") == "true"
            rows = [item for item in items.values() if device in {None, item.get("device_id")}]
            rows = [item for item in rows if bool(item.get("os_hidden")) is hidden]
            shown = [item for item in rows if _owner(item) == wanted or item.get("visibility") == "public"]
            for item in [item for item in shown if item.pop("going", 0)]:
                item["OS-EXT-STS:task_state"] = "deleting"  # this once more
            answer = {_LISTS[service, collection]: [dict(item) for item in shown]}
            for item in [item for item in shown if item.get("OS-EXT-STS:task_state")]:
                self._gone(item["id"])
            return web.json_response(answer)
        item = items.get(rest[0], {})
        if not item or (_owner(item) != token["project"] and not admin):
            return _refused(404)
        if request.method == "PATCH":
            item["protected"] = False
            return web.json_response(item)
        if rest[1:] == ["action"]:
            item["locked"] = item.get("locked") and "unlock" not in body
            return web.Response(status=202)
        if rest[1:] == ["remove_router_interface"]:
            return web.json_response({}) if self.items["network", "ports"].pop(body["port_id"], None) else _refused(404)
        return self._delete(service, collection, item, admin=admin)

    def _keypair(self, request: web.BaseRequest, rest: list[str], *, admin: bool) -> web.Response:
        named = request.headers.get("OpenStack-API-Version") == "compute 2.10"
        user = request.query.get("user_id", "") if named else ""
        if not (admin and user):
            return _refused(403)
        names = self.keypairs.get(user, [])
        if request.method == "GET":
            return web.json_response({"keypairs": [{"keypair": {"name": name}} for name in names]})
        names.remove(unquote("/".join(rest)))
        return web.Response(status=202)

    def _delete(self, service: str, collection: str, item: dict[str, Any], *, admin: bool) -> web.Response:
        identity = item["id"]
        ports = self.items["network", "ports"].values()
        in_use = {
            "ports": item.get("device_id") in self.items["compute", "servers"],
            "routers": any(port.get("device_id") == identity for port in ports),
            "networks": any(port.get("network_id") == identity for port in ports),
        }
        if item.get("locked"):
            return _refused(409, f"Instance {identity} is locked")
        if identity in self.stuck or in_use.get(collection):
            return _refused(409, "It is in use.")
        if item.get("protected") or (item.get("name") == "default" and not admin):
            return _refused(403)
        if collection == "servers":
            item["going"] = 1
            return web.Response(status=204)
        del self.items[service, collection][identity]
        return web.Response(status=204)

    def _gone(self, server: str) -> None:
        gone = self.items["compute", "servers"].pop(server, None)
        self.deleted += [gone] if gone else []
        ports = self.items["network", "ports"]
        for identity in [identity for identity, port in ports.items() if port.get("device_id") == server]:
            del ports[identity]


def _owner(item: dict[str, Any]) -> Any:
    return item.get("owner", item.get("project_id"))


def _refused(status: int, message: str = "Refused.") -> web.Response:
    return web.Response(
        status=status, text=json.dumps({"error": {"code": status, "message": message}}), content_type="application/json"
    )
