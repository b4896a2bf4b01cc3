"""The first content of a new cloud: a flavor, two images, metadata definitions, a network; created through the services' own APIs, as an operator would.

Every step first looks for an existing resource, so that an interrupted start can be repeated.
"""

import http.client
import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from .clients import PROJECT
from .config import Secrets
from .errors import LabError
from .layout import Cloud

FLAVOR = {"name": "m1.tiny", "vcpus": 1, "ram": 512, "disk": 1}
IMAGE = "cirros"
IMAGE_SIZE = 1024 * 1024
NETWORK = "private"
DEFINITIONS = "OS::Lab::Definitions"
KINDS = ("Glance::Image", "Nova::Flavor", "Nova::Server", "Nova::Aggregate", "Cinder::Volume", "Cinder::Volumes")


def own_image(cloud: str) -> str:
    """Name the image that only this cloud has."""
    return f"{IMAGE}-{cloud.lower()}"


class Api:
    """A minimal HTTP client: JSON in, JSON out, a token, and errors that name the request."""

    def __init__(self, cloud: Cloud, secrets: Secrets) -> None:
        self.cloud = cloud
        self.token: str | None = None
        user = {"name": "admin", "password": secrets.admin, "domain": {"id": "default"}}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        headers, _ = self.exchange(
            "POST", "identity", "/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}}
        )
        self.token = headers["X-Subject-Token"]

    def call(self, method: str, kind: str, path: str, body: object = None) -> Any:
        """Send a request to a service; returns its answer."""
        return self.exchange(method, kind, path, body)[1]

    def exchange(self, method: str, kind: str, path: str, body: object) -> tuple[http.client.HTTPMessage, Any]:
        """Send a request to a service's backend; returns headers and body of its answer."""
        where = urlsplit(self.cloud.backend(kind))
        headers = {"Accept": "application/json"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        try:
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise LabError(f"{method} {self.cloud.backend(kind)}{path} failed: {error}") from error
        finally:
            connection.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            said = text.decode(errors="replace")[:500]
            raise LabError(f"{method} {self.cloud.backend(kind)}{path} answered {answer.status}: {said}")
        return answer.headers, json.loads(text) if text else None


def fill(cloud: Cloud, secrets: Secrets, random: Callable[[int], bytes] = os.urandom) -> None:
    """Create the missing parts of a cloud's first content.

    The images' bytes are random, so that the same name has another content in each cloud.
    """
    api = Api(cloud, secrets)
    add_flavor(api)
    for name in (IMAGE, own_image(cloud.name)):
        add_image(api, name, random(IMAGE_SIZE))
    add_definitions(api)
    add_network(api)


def add_flavor(api: Api) -> None:
    """Add the flavor."""
    flavors = api.call("GET", "compute", "/v2.1/flavors")["flavors"]
    if FLAVOR["name"] not in {flavor["name"] for flavor in flavors}:
        api.call("POST", "compute", "/v2.1/flavors", {"flavor": FLAVOR})


def add_image(api: Api, name: str, content: bytes) -> None:
    """Add a public image, unless a complete one is there."""
    for image in api.call("GET", "image", f"/v2/images?name={name}")["images"]:
        if image["status"] == "active":
            return
        api.call("DELETE", "image", f"/v2/images/{image['id']}")
    fields = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    made = api.call("POST", "image", "/v2/images", fields)
    api.call("PUT", "image", f"/v2/images/{made['id']}/file", content)


def add_definitions(api: Api) -> None:
    """Add a namespace of metadata definitions: where there is none, Horizon's pages of images answer 500."""
    path = "/v2/metadefs/namespaces"
    if DEFINITIONS not in {space["namespace"] for space in api.call("GET", "image", path)["namespaces"]}:
        kinds = [{"name": f"OS::{kind}"} for kind in KINDS]
        body = {"namespace": DEFINITIONS, "visibility": "public", "resource_type_associations": kinds}
        api.call("POST", "image", path, body)


def add_network(api: Api) -> None:
    """Add the member project's own network, with a subnet; its default security group comes with it."""
    projects = api.call("GET", "identity", f"/v3/projects?name={PROJECT}&domain_id=default")["projects"]
    owner = projects[0]["id"]
    networks = api.call("GET", "network", f"/v2.0/networks?name={NETWORK}&project_id={owner}")["networks"]
    if not networks:
        body = {"network": {"name": NETWORK, "project_id": owner}}
        networks = [api.call("POST", "network", "/v2.0/networks", body)["network"]]
    if not networks[0]["subnets"]:
        subnet = {
            "name": f"{NETWORK}-subnet",
            "network_id": networks[0]["id"],
            "project_id": owner,
            "ip_version": 4,
            "cidr": f"10.{api.cloud.backend_host.split('.')[2]}.0.0/24",
        }
        api.call("POST", "network", "/v2.0/subnets", {"subnet": subnet})
