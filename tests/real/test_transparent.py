"""Without a scope nothing differs from no gateway; with a saved one, a client that can set no header works."""

import re

import openstack
import pytest
import requests
import yaml

from openstackoid.lab import Lab

from .conftest import User

# What differs from one answer to the next of the same server.
OF_ITS_TIME = {
    "date",
    "x-openstack-request-id",
    "x-compute-request-id",
    "connection",
    "keep-alive",
    "x-subject-token",
    "server",
    "etag",
}
REQUESTS = [
    ("identity", "GET", "/", {}),
    ("identity", "GET", "/v3", {}),
    ("identity", "GET", "/v3/auth/projects", {}),
    ("identity", "GET", "/v3/nothing", {}),
    ("image", "GET", "/", {}),
    ("image", "GET", "/v2/images", {}),
    ("image", "GET", "/v2/images?limit=1", {}),
    ("image", "GET", "/v2/images?limit=nonsense", {}),
    ("image", "HEAD", "/v2/images", {}),
    ("image", "GET", "/v2/images/IMAGE/file", {"Range": "bytes=5-99"}),
    ("image", "GET", "/v2/schemas/image", {"Accept-Encoding": "gzip"}),
    ("compute", "GET", "/", {}),
    ("compute", "GET", "/v2.1/", {}),
    ("compute", "GET", "/v2.1/flavors/detail?limit=1", {}),
    ("compute", "GET", "/v2.1/servers/detail", {"OpenStack-API-Version": "compute 2.96"}),
    ("compute", "GET", "/v2.1/servers", {"X-OpenStack-Nova-API-Version": "2.1"}),
    ("compute", "GET", "/v2.1/servers", {"OpenStack-API-Version": "compute 9.9"}),
    ("compute", "POST", "/v2.1/servers", {"Content-Type": "application/json"}),
    ("network", "GET", "/", {}),
    ("network", "GET", "/v2.0/networks?limit=1", {}),
    ("network", "GET", "/v2.0/networks?fields=name", {"If-None-Match": '"x"'}),
    ("placement", "GET", "/", {}),
    ("placement", "GET", "/resource_providers", {"OpenStack-API-Version": "placement 1.39"}),
]


@pytest.fixture(scope="module")
def token(alice: User) -> str:
    return alice.token()


@pytest.mark.parametrize(("kind", "method", "path", "headers"), REQUESTS)
def test_answers_are_equal(lab: Lab, token: str, kind: str, method: str, path: str, headers: dict[str, str]) -> None:
    cloud = lab.clouds["CloudOne"]
    auth = {"X-Auth-Token": token}
    if "IMAGE" in path:
        listed = requests.get(f"{cloud.backend('image')}/v2/images", headers=auth, timeout=120).json()
        path = path.replace("IMAGE", listed["images"][0]["id"])
    asked = headers | auth | {"Host": cloud.frontend(kind).removeprefix("http://")}
    direct, through = (
        requests.request(method, base + path, headers=asked, timeout=30, allow_redirects=False)
        for base in (cloud.backend(kind), cloud.frontend(kind))
    )
    assert (through.status_code, through.reason) == (direct.status_code, direct.reason)
    seen, expected = (
        {name.lower(): value for name, value in answer.headers.items() if name.lower() not in OF_ITS_TIME}
        for answer in (through, direct)
    )
    assert seen == expected
    unstable = re.compile(rb"req-[0-9a-f-]{36}")
    assert unstable.sub(b"", through.content) == unstable.sub(b"", direct.content)


@pytest.mark.filterwarnings("ignore")  # openstacksdk's own, of what it will remove
def test_a_plain_sdk_under_a_saved_scope(lab: Lab) -> None:
    """Nothing but an auth_url with a prefix: the catalog leads on."""
    cloud = lab.clouds["CloudOne"]
    auth = yaml.safe_load(lab.clouds_yaml.read_text())["clouds"]["CloudOne"]["auth"]
    auth["auth_url"] = f"{cloud.frontend('identity')}/scope/images-from-CloudTwo/v3"
    with openstack.connect(
        auth=auth, region_name="RegionOne", load_yaml_config=False, load_envvars=False
    ) as connection:
        names = {image.name for image in connection.image.images(limit=1)}
        assert names == {"cirros", "cirros-cloudtwo"}, "paging follows links under the prefix"
        assert str(connection.image.get_endpoint()).startswith(f"{cloud.frontend('image')}/scope/images-from-CloudTwo")
        flavor, image = (
            connection.compute.find_flavor("m1.tiny", ignore_missing=False),
            connection.image.find_image("cirros-cloudtwo", ignore_missing=False),
        )
        network = connection.network.find_network("private", ignore_missing=False)
        server = connection.compute.create_server(
            name="prefixed", flavor_id=flavor.id, image_id=image.id, networks=[{"uuid": network.id}]
        )
        assert connection.compute.wait_for_server(server, wait=60).status == "ACTIVE"
        connection.compute.delete_server(server)
        connection.compute.wait_for_delete(server, wait=60)
