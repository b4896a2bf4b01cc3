"""Plain HTTP as one user of CloudOne: a tenth of what the stock client costs, where the client is not what a test is about."""

import json
from typing import Any, Final

import requests

from .conftest import CLOUDS, User
from .tools import until

_OF_A_SERVER: Final = ("compute", "network", "placement")


class HttpClient:
    """Sends requests to CloudOne's frontends, with one token, a scope, and connections that are kept.

    A scope is an expression for the service that is asked, or the JSON object for several services. With compute of one cloud goes what a server
    must have of the same cloud.

    Args:
        user: whose token it is.
    """

    def __init__(self, user: User) -> None:
        self._user, self._token, self._session = user, user.token(), requests.Session()

    def send(
        self, method: str, service: str, path: str, scope: str, document: Any = None, version: str | None = None
    ) -> requests.Response:
        """The answer, whatever its status; `path` may be a whole URL; a document that is bytes is data as it stands; a version is nova's microversion."""
        url = path if path.startswith("http") else self.base(service) + path
        if not scope.startswith("{"):
            services = _OF_A_SERVER if service == "compute" and scope in CLOUDS else (service,)
            scope = json.dumps(dict.fromkeys(services, scope))
        headers = {"X-Auth-Token": self._token, "X-Scope": scope}
        if version is not None:
            headers["OpenStack-API-Version"] = f"compute {version}"
        body: Any = {"json": document}
        if isinstance(document, bytes):
            body = {"data": document}
            headers["Content-Type"] = "application/octet-stream"
        return self._session.request(method, url, headers=headers, timeout=120, **body)

    def ask(
        self, method: str, service: str, path: str, scope: str, document: Any = None, version: str | None = None
    ) -> Any:
        """The document of the answer, which must be a success; none if it is empty."""
        answer = self.send(method, service, path, scope, document, version)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def boot(self, cloud: str, *names: str) -> list[str]:
        """The paths of servers of a cloud, one of each name, without networks; they are active."""
        scope = json.dumps(dict.fromkeys((*_OF_A_SERVER, "image"), cloud))
        [image] = self.ask("GET", "image", "/v2/images?limit=1&status=active&sort=created_at:asc", cloud)["images"]
        flavor = self.ask("GET", "compute", "/v2.1/flavors", cloud)["flavors"][0]
        paths = []
        for name in names:
            wanted = {"name": name, "imageRef": image["id"], "flavorRef": flavor["id"], "networks": "none"}
            made = self.ask("POST", "compute", "/v2.1/servers", scope, {"server": wanted}, version="2.37")
            paths.append(f"/v2.1/servers/{made['server']['id']}")
        until(lambda: all(self.ask("GET", "compute", path, scope)["server"]["status"] == "ACTIVE" for path in paths))
        return paths

    def remove(self, service: str, path: str, cloud: str) -> None:
        """Delete something, and wait until a server is gone: nova asks other services through gateways that may not stay."""
        self.ask("DELETE", service, path, cloud)
        if path.startswith("/v2.1/servers/"):
            until(lambda: self.send("GET", service, path, cloud).status_code == requests.codes.not_found)

    def base(self, service: str) -> str:
        """The URL that paths of a service begin with."""
        return self._user.frontend(service)
