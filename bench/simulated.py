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
from typing import Any, Final

import orjson
import uvloop
from aiohttp import web

from bench.simulated_cloud import Cloud, Who, server
from bench.simulated_faults import faulty

_END: Final = "2099-01-01T00:00:00.000000Z"


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
                    return await faulty(cloud.fault, request)
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
        order = await request.json()
        if "latency" in order:
            cloud.latency = order["latency"] / 1000
        cloud.fault = order.get("fault", cloud.fault)
        cloud.everywhere = order.get("everywhere", cloud.everywhere)
        cloud.build = order.get("build", cloud.build)
        if "servers" in order:
            cloud.fill(order["servers"])
        if order.get("forget"):
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
        made = server(asked["name"], asked) | {"status": "BUILD", "tenant_id": who.project_id}
        cloud.servers[made["id"]] = made
        cloud.created += 1
        cloud.changed()
        return web.json_response({"server": {"id": made["id"], "links": [], "adminPass": "secret"}}, status=202)

    def _delete(self, cloud: Cloud, request: web.Request) -> web.Response:
        if (who := _who(cloud, request)) is None:
            return _refused()
        found = cloud.servers.get(request.match_info["id"])
        if found is None or found["tenant_id"] != who.project_id:
            return _missing()
        del cloud.servers[found["id"]]
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
