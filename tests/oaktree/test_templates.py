"""Heat's templates as people have them: the text of a HOT file, comments and all, by the generic call, the typed one, and the shell."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import struct_pb2
from tests.oaktree.keystone import PROJECT, Keystone, entry
from tests.oaktree.shell import called
from tests.oaktree.upstream import Seen, reply
from tests.oaktree.world import Oaktree

from oaktree.client import Oaktree as Client
from oaktree.v1 import orchestration_pb2, resource_pb2

LONG = 60.0
STACK = "11111111-2222-4333-8444-555555555555"
HOT = """\
heat_template_version: 2018-08-31   # a date, and no text, for YAML
resources:
  network: {type: OS::Neutron::Net}
"""


class Heat(Keystone):
    """Takes stacks, and keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__({"orchestration": f"/orchestration/v1/{PROJECT}"})

    def _version(self, path: str) -> bytes | None:
        if path in ("/orchestration", "/orchestration/v1"):
            link = {"rel": "self", "href": f"{self.url}/orchestration/v1/"}
            return reply(300, {"versions": [{"id": "v1.0", "status": "CURRENT", "links": [link]}]})
        return super()._version(path)

    def _serve(self, seen: Seen, path: str) -> bytes | None:
        if seen.method == "POST":
            self.sent.append(json.loads(seen.body))
            return reply(201, {"stack": {"id": STACK, "links": []}})
        if path.endswith("/stacks"):
            return reply(200, {"stacks": []})
        if f"/stacks/{STACK}" in path or path.endswith("/stacks/web"):
            stack = {"id": STACK, "stack_name": "web", "stack_status": "CREATE_COMPLETE"}
            return reply(200, {"stack": stack})
        return super()._serve(seen, path)


@dataclass
class World:
    """An oaktree before Heat."""

    client: Client
    heat: Heat
    address: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with contextlib.closing(Heat()) as heat:
        folder = tmp_path_factory.mktemp("heat")
        (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": {"one": entry(heat.url)}}))
        server = Oaktree(folder, folder / "clouds.yaml")
        try:
            with server.channel() as channel:
                yield World(Client(channel), heat, server.address)
        finally:
            server.stop()


def made(answers: Any) -> None:
    for each in answers[-1].summary.results:
        assert not each.HasField("error"), each


def test_by_the_generic_call(world: World) -> None:
    attributes = struct_pb2.Struct()
    attributes.update({"name": "web", "template": HOT})
    asked = resource_pb2.CreateResourceRequest(
        resource=resource_pb2.Resource(kind="orchestration.stack", attributes=attributes)
    )
    made(list(world.client.resources.CreateResource(asked, timeout=LONG)))
    assert world.heat.sent[-1]["template"] == HOT


def test_by_the_typed_call(world: World) -> None:
    stack = orchestration_pb2.Stack(name="web")
    stack.other.update({"template": HOT})  # what does not fit its field, as in answers
    asked = orchestration_pb2.CreateStackRequest(stack=stack)
    made(list(world.client.orchestration.CreateStack(asked, timeout=LONG)))
    assert world.heat.sent[-1]["template"] == HOT


def test_by_the_shell(world: World) -> None:
    words = ["oaktree", "call", "create", "stack", "--set", "name=web", "--set", f"template={HOT}"]
    done = called([*words, "--target", world.address, "--plaintext"], dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert world.heat.sent[-1]["template"] == HOT


def test_as_a_struct_as_before(world: World) -> None:
    stack = orchestration_pb2.Stack(name="web")
    stack.template.update({"heat_template_version": "2018-08-31", "resources": {}})
    asked = orchestration_pb2.CreateStackRequest(stack=stack)
    made(list(world.client.orchestration.CreateStack(asked, timeout=LONG)))
    assert world.heat.sent[-1]["template"]["heat_template_version"] == "2018-08-31"


def test_what_fits_no_field_of_a_template_is_refused(world: World) -> None:
    stack = orchestration_pb2.Stack(name="web")
    stack.other.update({"templat": HOT})
    with pytest.raises(grpc.RpcError) as caught:
        list(world.client.orchestration.CreateStack(orchestration_pb2.CreateStackRequest(stack=stack), timeout=LONG))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
