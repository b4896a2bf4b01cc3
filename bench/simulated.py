"""Many OpenStack clouds at the wire, in one process: Keystone's tokens and nova's servers, as openstacksdk asks for them.

    python -m bench.simulated PORT [--latency MS] [--servers N]

Cloud `NAME` is below http://127.0.0.1:PORT/NAME: its Keystone at /NAME/identity/v3, its nova at /NAME/compute/v2.1; any name is a cloud, and
comes into being when it is asked for. Anybody is a user, with any password, of any project; a user sees the servers of the token's project, and a user whose
name begins with "admin" sees the hosts that they are on. What no cloud does is told at /NAME/control (POST, JSON): {"latency": ms, "fault": null |
"hang" | "rubbish" | "500" | "503" | "huge" | "cut", "everywhere": whether Keystone has the fault too, "build": polls until a server is ACTIVE,
"servers": N for each project}; GET gives what was asked of it:
{"requests": [[time, method, path], ...], "created": N, "open": connections in use, "tokens": N}.
"""

import argparse
import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson
import uvloop
from aiohttp import web

_END: Final = "2099-01-01T00:00:00.000000Z"
_HANG: Final = 600.0  # seconds: longer than any test
_DEMO: Final = "9fa2d65908f84b4ebbb486c9f53888fb"


@dataclass(frozen=True)
class Who:
    """Whose a token is."""

    user: str
    project: str  # its name

    @property
    def project_id(self) -> str:
        """The id of the project."""
        return _DEMO if self.project == "demo" else uuid.uuid5(uuid.NAMESPACE_DNS, self.project).hex

    @property
    def admin(self) -> bool:
        """They see more of each server."""
        return self.user.startswith("admin")


class Cloud:
    """One of them."""

    def __init__(self, name: str, latency: float, servers: int) -> None:
        self.name = name
        self.latency = latency  # seconds
        self.fault: str | None = None
        self.build = 0
        self.everywhere = False
        self.users: dict[str, Who] = {}  # by token
        self.requests: list[tuple[float, str, str]] = []
        self.created = 0
        self.open = 0
        self.servers: dict[str, dict[str, Any]] = {}
        self._number = servers
        self._projects: dict[str, str] = {_DEMO: "demo"}  # name by id
        self._listed: dict[tuple[str, bool], bytes] = {}
        self.fill(servers)

    def fill(self, number: int) -> None:
        """Have this many servers in each project."""
        self.servers = {}
        self._number = number
        for project in self._projects:
            self._fill(project)

    def _fill(self, project: str) -> None:
        name = self.name if project == _DEMO else f"{self.name}-{self._projects[project]}"
        for index in range(self._number):
            server = _server(f"{name}-{index}", {})
            server["id"] = str(uuid.uuid5(uuid.NAMESPACE_DNS, server["name"]))
            server["tenant_id"] = project
            self.servers[server["id"]] = server
        self.changed()

    def enter(self, who: Who) -> str:
        """A token for somebody."""
        token = f"gAAAAA{uuid.uuid4().hex}"
        self.users[token] = who
        if who.project_id not in self._projects:
            self._projects[who.project_id] = who.project
            self._fill(who.project_id)
        return token

    def changed(self) -> None:
        """Something of the servers is not what it was."""
        self._listed.clear()

    def seen(self, who: Who) -> list[dict[str, Any]]:
        """The servers that somebody sees, as they see them."""
        mine = [each for each in self.servers.values() if each["tenant_id"] == who.project_id]
        return [each | {"OS-EXT-SRV-ATTR:host": f"host-of-{self.name}"} for each in mine] if who.admin else mine

    def listed(self, who: Who) -> bytes:
        """All of them, as nova lists them."""
        key = who.project_id, who.admin
        if key not in self._listed:
            self._listed[key] = orjson.dumps({"servers": self.seen(who)})
        return self._listed[key]

    def grow(self) -> None:
        """One more look at servers that are being built."""
        for server in self.servers.values():
            if server["status"] == "BUILD":
                server["progress"] = min(100, server["progress"] + 100 // max(1, self.build))
                if server["progress"] >= 100 or self.build == 0:
                    server["status"] = "ACTIVE"
                self.changed()


def _server(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(uuid.uuid4()),
        "name": name,
        "status": "ACTIVE",
        "tenant_id": _DEMO,
        "user_id": "0e8e6f2b7fd44a7f8d2f9d7ce2fe1f4e",
        "metadata": asked.get("metadata", {}),
        "hostId": "f" * 56,
        "image": {"id": asked.get("imageRef", "70a599e0-31e7-49b7-b260-868f441e862b"), "links": []},
        "flavor": {
            "vcpus": 1,
            "ram": 512,
            "disk": 1,
            "ephemeral": 0,
            "swap": 0,
            "original_name": "m1.tiny",
            "extra_specs": {},
        },
        "created": "2026-01-01T00:00:00Z",
        "updated": "2026-01-01T00:00:00Z",
        "addresses": {
            "private": [
                {
                    "version": 4,
                    "addr": "10.0.0.3",
                    "OS-EXT-IPS:type": "fixed",
                    "OS-EXT-IPS-MAC:mac_addr": "fa:16:3e:00:00:01",
                }
            ]
        },
        "accessIPv4": "",
        "accessIPv6": "",
        "links": [],
        "OS-DCF:diskConfig": "AUTO",
        "progress": 0,
        "OS-EXT-AZ:availability_zone": asked.get("availability_zone", "nova"),
        "config_drive": "",
        "key_name": asked.get("key_name"),
        "OS-SRV-USG:launched_at": "2026-01-01T00:00:01.000000",
        "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": "default"}],
        "OS-EXT-STS:task_state": None,
        "OS-EXT-STS:vm_state": "active",
        "OS-EXT-STS:power_state": 1,
        "os-extended-volumes:volumes_attached": [],
        "locked": False,
        "description": None,
        "tags": [],
    }


class Simulation:
    """All clouds of a process."""

    def __init__(self, base: str, latency: float, servers: int) -> None:
        self._base = base
        self._latency = latency
        self._servers = servers
        self.clouds: dict[str, Cloud] = {}

    def application(self) -> web.Application:
        """What serves them."""
        application = web.Application(client_max_size=2**20)
        route = application.router.add_route
        route("GET", "/{cloud}/control", self._report)
        route("POST", "/{cloud}/control", self._control)
        for method, path, handle in (
            ("GET", "/{cloud}/identity", self._versions),
            ("GET", "/{cloud}/identity/", self._versions),
            ("GET", "/{cloud}/identity/v3", self._version),
            ("GET", "/{cloud}/identity/v3/", self._version),
            ("POST", "/{cloud}/identity/v3/auth/tokens", self._token),
            ("GET", "/{cloud}/identity/v3/auth/tokens", self._validate),
            ("GET", "/{cloud}/compute/v2.1", self._compute),
            ("GET", "/{cloud}/compute/v2.1/", self._compute),
            ("GET", "/{cloud}/compute/v2.1/servers/detail", self._list),
            ("GET", "/{cloud}/compute/v2.1/servers/{id}", self._get),
            ("POST", "/{cloud}/compute/v2.1/servers", self._create),
            ("DELETE", "/{cloud}/compute/v2.1/servers/{id}", self._delete),
        ):
            route(method, path, self._of_cloud(handle))
        return application

    def cloud(self, name: str) -> Cloud:
        """The cloud of this name."""
        if name not in self.clouds:
            self.clouds[name] = Cloud(name, self._latency, self._servers)
        return self.clouds[name]

    def _of_cloud(
        self, handle: Callable[[Cloud, web.Request], web.Response | Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            cloud = self.cloud(request.match_info["cloud"])
            path = request.path.removeprefix(f"/{cloud.name}")
            cloud.requests.append((time.time(), request.method, path))
            cloud.open += 1
            try:
                if cloud.latency:
                    await asyncio.sleep(cloud.latency)
                if cloud.fault and (cloud.everywhere or "/identity" not in path):
                    return await _faulty(cloud.fault, request)
                answer = handle(cloud, request)
                return answer if isinstance(answer, web.Response) else await answer
            finally:
                cloud.open -= 1

        return serve

    async def _report(self, request: web.Request) -> web.Response:
        cloud = self.cloud(request.match_info["cloud"])
        return web.json_response(
            {
                "requests": cloud.requests,
                "created": cloud.created,
                "open": cloud.open,
                "tokens": len(cloud.users),
                "servers": list(cloud.servers.values()),
            }
        )

    async def _control(self, request: web.Request) -> web.Response:
        cloud = self.cloud(request.match_info["cloud"])
        told = await request.json()
        if "latency" in told:
            cloud.latency = told["latency"] / 1000
        cloud.fault = told.get("fault", cloud.fault)
        cloud.everywhere = told.get("everywhere", cloud.everywhere)
        cloud.build = told.get("build", cloud.build)
        if "servers" in told:
            cloud.fill(told["servers"])
        if told.get("forget"):
            cloud.requests.clear()
        return web.json_response({})

    def _versions(self, cloud: Cloud, _: web.Request) -> web.Response:
        return web.json_response({"versions": {"values": [self._identity(cloud)]}}, status=300)

    def _version(self, cloud: Cloud, _: web.Request) -> web.Response:
        return web.json_response({"version": self._identity(cloud)})

    def _identity(self, cloud: Cloud) -> dict[str, Any]:
        return {
            "id": "v3.14",
            "status": "stable",
            "links": [{"rel": "self", "href": f"{self._base}/{cloud.name}/identity/v3/"}],
            "media-types": [],
        }

    async def _token(self, cloud: Cloud, request: web.Request) -> web.Response:
        auth = json.loads(await request.read())["auth"]
        identity = auth["identity"]
        if "token" in identity["methods"]:
            if (before := cloud.users.get(identity["token"]["id"])) is None:
                return _refused()
            user, project = before.user, before.project
        else:
            user, project = identity["password"]["user"]["name"], "demo"
        who = Who(user, auth.get("scope", {}).get("project", {}).get("name", project))
        return web.Response(
            body=self._document(cloud, who),
            status=201,
            content_type="application/json",
            headers={"X-Subject-Token": cloud.enter(who)},
        )

    def _validate(self, cloud: Cloud, request: web.Request) -> web.Response:
        who = cloud.users.get(request.headers.get("X-Subject-Token", ""))
        if who is None:
            return web.json_response({"error": {"code": 404, "message": "no such token"}}, status=404)
        return web.Response(body=self._document(cloud, who), content_type="application/json")

    def _document(self, cloud: Cloud, who: Who) -> bytes:
        def service(kind: str, path: str) -> dict[str, Any]:
            url = f"{self._base}/{cloud.name}{path}"
            endpoint = {"id": kind, "interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": url}
            return {"id": kind, "type": kind, "name": kind, "endpoints": [endpoint]}

        domain = {"id": "default", "name": "Default"}
        return orjson.dumps(
            {
                "token": {
                    "methods": ["password"],
                    "expires_at": _END,
                    "issued_at": "2026-01-01T00:00:00.000000Z",
                    "user": {
                        "id": uuid.uuid5(uuid.NAMESPACE_DNS, who.user).hex,
                        "name": who.user,
                        "domain": domain,
                        "password_expires_at": None,
                    },
                    "project": {"id": who.project_id, "name": who.project, "domain": domain},
                    "is_domain": False,
                    "roles": [{"id": "a", "name": "admin"}] if who.admin else [{"id": "r", "name": "member"}],
                    "catalog": [service("identity", "/identity/v3"), service("compute", "/compute/v2.1")],
                    "audit_ids": ["a"],
                }
            }
        )

    def _compute(self, cloud: Cloud, _: web.Request) -> web.Response:
        links = [{"rel": "self", "href": f"{self._base}/{cloud.name}/compute/v2.1/"}]
        version = {
            "id": "v2.1",
            "status": "CURRENT",
            "version": "2.96",
            "min_version": "2.1",
            "links": links,
            "media-types": [],
        }
        return web.json_response({"version": version})

    def _list(self, cloud: Cloud, request: web.Request) -> web.Response:
        if (who := _who(cloud, request)) is None:
            return _refused()
        cloud.grow()
        query = request.query
        if "limit" not in query and "marker" not in query and "name" not in query:
            return web.Response(body=cloud.listed(who), content_type="application/json")
        servers = [each for each in cloud.seen(who) if query.get("name", "") in each["name"]]
        if marker := query.get("marker"):
            servers = servers[[each["id"] for each in servers].index(marker) + 1 :]
        return web.json_response({"servers": servers[: int(query.get("limit", 1000))]})

    def _get(self, cloud: Cloud, request: web.Request) -> web.Response:
        if (who := _who(cloud, request)) is None:
            return _refused()
        cloud.grow()
        found = [each for each in cloud.seen(who) if each["id"] == request.match_info["id"]]
        return web.json_response({"server": found[0]}) if found else _missing()

    async def _create(self, cloud: Cloud, request: web.Request) -> web.Response:
        if (who := _who(cloud, request)) is None:
            return _refused()
        asked = json.loads(await request.read())["server"]
        server = _server(asked["name"], asked) | {"status": "BUILD", "tenant_id": who.project_id}
        cloud.servers[server["id"]] = server
        cloud.created += 1
        cloud.changed()
        return web.json_response({"server": {"id": server["id"], "links": [], "adminPass": "secret"}}, status=202)

    def _delete(self, cloud: Cloud, request: web.Request) -> web.Response:
        if (who := _who(cloud, request)) is None:
            return _refused()
        server = cloud.servers.get(request.match_info["id"])
        if server is None or server["tenant_id"] != who.project_id:
            return _missing()
        del cloud.servers[server["id"]]
        cloud.changed()
        return web.Response(status=204)


def _who(cloud: Cloud, request: web.Request) -> Who | None:
    return cloud.users.get(request.headers.get("X-Auth-Token", ""))


def _missing() -> web.Response:
    return web.json_response({"itemNotFound": {"code": 404, "message": "Instance could not be found."}}, status=404)


def _refused() -> web.Response:
    body = {
        "error": {"code": 401, "title": "Unauthorized", "message": "The request you have made requires authentication."}
    }
    return web.json_response(body, status=401)


async def _faulty(fault: str, request: web.Request) -> web.StreamResponse:
    match fault:
        case "hang":
            await asyncio.sleep(_HANG)
        case "rubbish":
            return web.Response(
                body=b'{"servers": [{"id": 7, "name": [], "flavor": "\xff', content_type="application/json"
            )
        case "strange":
            return web.json_response(
                {"servers": [{"id": 7, "name": ["x"], "flavor": 3, "metadata": [1], "status": {"a": 1}}, 5, None]}
            )
        case "huge":
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            await response.prepare(request)
            for _ in range(4096):
                await response.write(b" " * 65536)
            return response
        case "cut":
            assert request.transport
            request.transport.abort()
        case number:
            headers = {"Retry-After": "7"} if number in ("429", "503") else {}
            return web.json_response(
                {"computeFault": {"code": int(number), "message": "out of order"}}, status=int(number), headers=headers
            )
    return web.Response(status=500)


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("--latency", type=float, default=0, metavar="MS")
    parser.add_argument("--servers", type=int, default=0, metavar="N")
    arguments = parser.parse_args()
    simulation = Simulation(f"http://127.0.0.1:{arguments.port}", arguments.latency / 1000, arguments.servers)
    application = simulation.application()
    uvloop.install()
    web.run_app(
        application,
        host="127.0.0.1",
        port=arguments.port,
        print=None,
        access_log=None,
        backlog=4096,
        shutdown_timeout=0,
        handler_cancellation=True,
    )


if __name__ == "__main__":
    main()
