"""The JSON of clouds becomes what openstacksdk makes of it, for every class it has; and nothing is lost on the way."""

import warnings
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from openstack import fields, resource
from tests.volume import volume

from oaktree.v1 import compute_pb2, image_pb2, network_pb2
from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.kinds import Kind, Kinds
from openstackoid.oaktree.resources.methods import methods
from openstackoid.oaktree.resources.structs import document, to_python

KINDS = Kinds()
PLACE = Location(cloud="CloudOne", region="RegionOne", project_id="p1", project="demo", domain_id="default")

TEXT = st.text(max_size=12)
SCALARS = TEXT | st.integers(-(2**40), 2**40) | st.booleans()
VALUES = st.recursive(
    SCALARS | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """What a cloud may say for a declared type: mostly of it."""
    match kind:
        case None:
            return VALUES
        case type() if issubclass(kind, bool):
            return st.booleans() | TEXT | st.none()
        case type() if issubclass(kind, int | float):
            return st.integers(0, 2**40) | st.sampled_from(["7", "x", ""]) | st.none()
        case type() if issubclass(kind, list):
            return st.lists(SCALARS, max_size=3) | TEXT | st.none()
        case type() if issubclass(kind, resource.Resource):
            return st.none() | st.dictionaries(st.sampled_from(["id", "name"]), SCALARS, max_size=3)
        case type() if issubclass(kind, dict):
            return st.dictionaries(TEXT, SCALARS, max_size=3) | TEXT | st.none()
        case type() if issubclass(kind, str):
            return SCALARS | st.none()
        case type() if "HREF" in kind.__name__:
            return st.sampled_from(["http://barbican/v1/orders/0b6e", "0b6e", None])
        case _:  # formatters
            return st.sampled_from(["true", "false", True, False, None])


def mixed(kind: Kind) -> bool:
    wires = {each.wire: each.name for each in kind.attributes.all}
    if len(wires) < len(kind.attributes.all) and kind.service == "shared_file_system":
        return True
    return any(wires.get(each.name, each.name) != each.name and each.wire != each.name for each in kind.attributes.all)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[Kind, dict[str, Any]]:
    # A flavor takes its name or its id from another of its names, if it is empty.
    # Those of the object store are headers more than bodies, and have constructors of their own.
    # Where an attribute has the name that another one has on the wire, openstacksdk's own answer depends on their order.
    kinds = sorted(
        (
            each
            for each in KINDS
            if each.service != "object_store" and each.name != "compute.flavor" and not mixed(each)
        ),
        key=lambda each: each.name,
    )
    kind = draw(st.sampled_from(kinds))
    components = [
        (component.name, component.data_type)
        for name, component in kind.cls._attributes_iterator(fields.Body)
        # A class's own attributes stand before those that it inherits, of the same name and with another one on the wire.
        if component is getattr(kind.cls, name)
        if component.list_type is None or not issubclass(component.list_type, resource.Resource)
    ]
    chosen = (
        draw(st.lists(st.sampled_from(components), max_size=8, unique_by=lambda each: each[0])) if components else []
    )
    wires = {each.wire for each in kind.attributes.all if each.name == "id"}
    other_id = (
        kind.attributes.id != "id" or wires != {"id"} or "uuid" in {each.wire for each in kind.attributes.all}
    )  # then no API says "id"
    aliased = {
        each.wire for each in kind.attributes.all if each.alias
    }  # null hides the alias in openstacksdk, and not here
    raw = {name: draw(values(kind_of)) for name, kind_of in chosen if not (name == "id" and other_id)}
    return kind, {name: value for name, value in raw.items() if value is not None or name not in aliased}


def bare(value: Any) -> Any:
    """Without what says nothing: null, and what openstacksdk has as the default of a nested resource."""
    if isinstance(value, dict):
        return {name: bare(each) for name, each in value.items() if each is not None and name != "location"}
    if isinstance(value, list):
        return [bare(each) for each in value]
    return value


def same(ours: Any, theirs: Any) -> bool:
    """Equal, but for what openstacksdk adds to nested resources: defaults that no cloud said."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(name in theirs and same(value, theirs[name]) for name, value in ours.items())
    return bool(ours == theirs)


@hypothesis.example((KINDS.get("key_manager.secret"), {"algorithm": "", "secret_ref": 1}))
@hypothesis.example((KINDS.get("orchestration.stack"), {"stack_name": ""}))
@hypothesis.settings(max_examples=volume(600), deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(bodies())
def test_every_class_is_read_as_openstacksdk_reads_it(drawn: tuple[Kind, dict[str, Any]]) -> None:
    kind, raw = drawn
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            theirs = bare(kind.cls.existing(**raw).to_dict(computed=False))
        except (TypeError, ValueError, AttributeError):
            kind.attributes.read(raw)  # openstacksdk gives up; we do not
            return
    ours = bare(kind.attributes.read(raw))
    defaults = bare(kind.cls.existing().to_dict(computed=False))
    for name, value in theirs.items():
        if name not in kind.attributes.by_name:
            continue  # a second name (`aka`) of another attribute
        if name in ours:
            # openstacksdk does not convert ids, whatever their type.
            assert name == "id" or same(ours[name], value), (kind.name, name)
        else:
            # What the cloud did not say is not said: a default of openstacksdk's is no fact about the resource.
            # Nor is an id that it makes of a name, as for the flavor in a server.
            assert value == defaults.get(name) or name in raw or name == "id", (kind.name, name, value)
    for name in ours:
        # `to_dict` leaves out what is part of the path, and some ids that have another name on the wire.
        part_of_path = kind.attributes.by_name[name].parent
        assert name in theirs or part_of_path or name in ("id", kind.attributes.id), (kind.name, name)


@hypothesis.settings(max_examples=volume(300), deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(
    bodies(),
    st.dictionaries(TEXT.map(lambda text: f"x-{text}"), VALUES.filter(lambda each: each is not None), max_size=3),
)
def test_nothing_that_a_cloud_said_is_lost(drawn: tuple[Kind, dict[str, Any]], extra: dict[str, Any]) -> None:
    kind, raw = drawn
    message: Any = kind.codec(Resource).encode(raw | extra, PLACE)
    said = to_python(message.attributes)
    packed = said.get("properties", {}) if kind.cls._store_unknown_attrs_as_properties else {}
    for name, value in extra.items():
        assert plain((packed if isinstance(packed, dict) and name in packed else said)[name]) == plain(value)


def plain(value: Any) -> Any:
    """As a Struct holds it."""
    return _round(value)


def _round(value: Any) -> Any:
    holder = Resource()
    holder.attributes.update({"value": value})
    return to_python(holder.attributes)["value"]


def typed() -> list[tuple[str, type]]:
    return sorted({(each.kind, each.resource) for each in methods() if each.kind}, key=lambda each: each[0])


@pytest.mark.parametrize(("name", "message"), typed(), ids=[name for name, _ in typed()])
@hypothesis.settings(max_examples=volume(40), deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
@hypothesis.given(st.data())
def test_a_typed_message_holds_every_value(name: str, message: type, data: st.DataObject) -> None:
    kind = KINDS.get(name)
    assert kind
    wire = {each.wire for each in kind.attributes.all}
    raw = data.draw(st.dictionaries(st.sampled_from(sorted(wire)), VALUES, max_size=8))
    encoded: Any = kind.codec(message).encode(raw, PLACE)
    found = document(encoded)
    read = kind.attributes.read(raw)
    for attribute, value in read.items():
        if value in ([], {}, None) or (attribute == "id" and "id" not in raw):
            continue
        # Two attributes may be one value of the wire: it is kept once.
        same = {each.name for each in kind.attributes.all if each.wire == kind.attributes.by_name[attribute].wire}
        assert same & found.keys() or plain(value) in found.get("other", {}).values(), (attribute, value, found)


def test_a_server_as_nova_lists_it() -> None:
    kind = KINDS.get("compute.server")
    assert kind
    raw = {
        "id": "5c1c", "name": "vm", "status": "ACTIVE", "tenant_id": "p2", "created": "2026-01-01T00:00:00Z", "progress": 7,
        "OS-EXT-AZ:availability_zone": "nova", "OS-EXT-STS:power_state": 1, "metadata": {"a": "b"}, "locked": True,
        "flavor": {"original_name": "m1.tiny", "vcpus": 1}, "image": "", "addresses": {"net": [{"addr": "10.0.0.3", "version": 4}]},
        "key_name": None, "tags": ["x", "y"], "vendor:thing": [1, {"a": None}],
    }  # fmt: skip
    server: Any = kind.codec(compute_pb2.Server).encode(raw, PLACE)
    assert (server.id, server.name, server.status, server.progress, server.is_locked) == (
        "5c1c",
        "vm",
        "ACTIVE",
        7,
        True,
    )
    assert (server.location.cloud, server.location.zone, server.location.project_id) == ("CloudOne", "nova", "p2")
    # The project's name is that of the project that asked: another project's is not known.
    assert server.location.project == ""
    # As in openstacksdk, where a flavor's name is its original name if it has no other.
    assert to_python(server.flavor) == {"name": "m1.tiny", "original_name": "m1.tiny", "vcpus": 1}
    assert list(server.tags) == ["x", "y"]
    assert not server.HasField("key_name")
    assert to_python(server.other) == {"vendor:thing": [1, {"a": None}]}


def test_properties_of_an_image_are_together() -> None:
    kind = KINDS.get("image.image")
    assert kind
    image: Any = kind.codec(image_pb2.Image).encode({"id": "1", "os_distro": "debian", "colour": "blue"}, PLACE)
    assert to_python(image.properties) == {"colour": "blue"}


def test_what_a_caller_sets_becomes_attributes() -> None:
    kind = KINDS.get("network.subnet")
    assert kind
    message = network_pb2.Subnet(name="s", cidr="10.0.0.0/24", ip_version=4, is_dhcp_enabled=False)
    message.allocation_pools.add().update({"start": "10.0.0.2", "end": "10.0.0.9"})
    assert kind.codec(network_pb2.Subnet).decode(message) == {
        "name": "s",
        "cidr": "10.0.0.0/24",
        "ip_version": 4,
        "is_dhcp_enabled": False,
        "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.9"}],
    }


def test_numbers_that_a_double_does_not_hold_become_text() -> None:
    kind = KINDS.get("compute.server")
    assert kind
    message: Any = Codec(kind.cls, Resource, kind.name).encode({"id": "1", "big": 2**60}, PLACE)
    assert to_python(message.attributes)["big"] == str(2**60)
