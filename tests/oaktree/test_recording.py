"""What a cloud says and openstacksdk has no attribute for: in answers about one resource as in lists and watches."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from tests.oaktree import making
from tests.oaktree.keystone import clouds_yaml
from tests.oaktree.nova import Nova
from tests.oaktree.upstream import Seen, reply
from tests.oaktree.world import Oaktree

from oaktree.v1 import compute_pb2, compute_pb2_grpc, network_pb2, network_pb2_grpc, resource_pb2, resource_pb2_grpc
from oaktree.v1.common_pb2 import Condition
from openstackoid.oaktree.resources.kinds import Kind, Kinds
from openstackoid.oaktree.resources.recording import as_raw, recording
from openstackoid.oaktree.resources.structs import to_python

pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
RACK = {"x-vendor:rack": {"name": "r7", "units": [1, 2]}, "x_since": "2026-01-01"}
SINGLE = [each for each in Kinds() if each.cls.allow_fetch or each.cls.allow_create or each.cls.allow_commit]


@pytest.fixture
def nova(tmp_path: Path) -> Iterator[tuple[Nova, grpc.Channel]]:
    cloud = Nova()
    server = Oaktree(tmp_path, clouds_yaml(tmp_path, {"One": cloud}), watch={"interval": 0.1})
    with server.channel() as channel:
        yield cloud, channel
    assert server.stop() == 0
    cloud.close()


def test_all_answers_about_a_server_tell_the_same(nova: tuple[Nova, grpc.Channel]) -> None:
    cloud, channel = nova
    ident = cloud.boot("web", "ACTIVE", **RACK)
    compute: Any = compute_pb2_grpc.ComputeServiceStub(channel)
    [listed] = next(compute.ListServers(compute_pb2.ListServersRequest(), timeout=30)).servers
    assert to_python(listed.other) == RACK
    for name in (ident, "web"):
        got = compute.GetServer(compute_pb2.GetServerRequest(id=name), timeout=30).server
        assert to_python(got) == to_python(listed)
        until = Condition(status="ACTIVE")
        watched = next(compute.WatchServer(compute_pb2.WatchServerRequest(id=name, until=until), timeout=30))
        assert watched.server == listed
        asked = compute_pb2.UpdateServerRequest(id=name, server=compute_pb2.Server(description="new"))
        cloud.change(ident, description="new")
        assert to_python(compute.UpdateServer(asked, timeout=30).server.other) == RACK
        cloud.servers[ident].pop("description")
    generic: Any = resource_pb2_grpc.ResourceServiceStub(channel)
    got = generic.GetResource(resource_pb2.GetResourceRequest(kind="compute.server", id="web"), timeout=30).resource
    assert to_python(got.attributes)["x-vendor:rack"] == RACK["x-vendor:rack"]


def test_the_answer_of_a_create_loses_nothing(tmp_path: Path) -> None:
    with making.clouds("One") as clouds:
        cloud = clouds["One"]

        def answer(seen: Seen) -> bytes:
            name = json.loads(seen.body)["network"]["name"]
            [made] = [each for each in cloud.made["networks"].values() if each["name"] == name]
            return reply(201, {"network": {**made, **RACK}})

        cloud.after = answer
        server = Oaktree(tmp_path, clouds_yaml(tmp_path, clouds))
        with server.channel() as channel:
            stub: Any = network_pb2_grpc.NetworkServiceStub(channel)
            asked = network_pb2.CreateNetworkRequest(network=network_pb2.Network(name="net", description="of mine"))
            [made] = [each.network for each in stub.CreateNetwork(asked, timeout=30) if each.HasField("network")]
        assert server.stop() == 0
    assert (made.name, made.description, to_python(made.other)) == ("net", "of mine", RACK)


@pytest.mark.parametrize("kind", SINGLE, ids=lambda kind: kind.name)
def test_every_class_keeps_what_was_said(kind: Kind) -> None:
    """However it reads its answers."""
    body: Any = {"id": "i", "name": "n"} | RACK
    for key in (kind.cls.resource_key or "").split("."):
        body = {key: body} if key else body
    response = requests.Response()
    response.status_code = 200
    response._content = json.dumps(body).encode()
    response.request = requests.Request("GET", "http://127.0.0.1/").prepare()
    found: Any = recording(kind.cls)(connection=None)
    found._translate_response(response, has_body=True)
    raw = as_raw(found)
    told = kind.attributes.read(raw) | kind.attributes.rest(raw)
    kept = told.get("properties") if kind.cls._store_unknown_attrs_as_properties else told
    # Of a quota, openstacksdk takes an object for one that tells what is used as well.
    wanted = {name: value for name, value in RACK.items() if kind.cls.__name__ != "QuotaSet" or isinstance(value, str)}
    assert {name: (kept or {}).get(name) for name in wanted} == wanted
