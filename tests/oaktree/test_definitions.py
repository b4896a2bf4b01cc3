"""Definitions are current, say what openstacksdk's classes say, and never break who uses them."""

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given, settings
from hypothesis import strategies as st
from tools.definitions import compatibility, registry, stubs
from tools.definitions.__main__ import main
from tools.definitions.classes import read
from tools.definitions.registry import Entry, RetypedError, renew
from tools.definitions.tables import TYPED

from oaktree.v1 import annotations_pb2

ROOT = Path(__file__).parents[2]
PACKAGE = "oaktree.v1"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, descriptor_pb2.FileDescriptorProto]:
    """Our definitions, compiled, with comments."""
    to = tmp_path_factory.mktemp("descriptors") / "set.binpb"
    stubs.compile_descriptors(ROOT / "proto", to, comments=True)
    found = descriptor_pb2.FileDescriptorSet.FromString(to.read_bytes())
    return {file.name: file for file in found.file if file.package == PACKAGE}


@pytest.fixture(scope="module")
def messages(files: dict[str, descriptor_pb2.FileDescriptorProto]) -> dict[str, descriptor_pb2.DescriptorProto]:
    """All of their messages."""
    return {message.name: message for file in files.values() for message in file.message_type}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the tool reads and writes."""
    for path in ("proto", "src/oaktree", "src/openstackoid/oaktree/kinds.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / path).is_dir() else shutil.copy)(ROOT / path, tmp_path / path)
    return tmp_path


def test_the_folder_has_all_that_its_definitions_import_beside_protobufs_own(tmp_path: Path) -> None:
    """As proto-loader and grpcurl read it: they bring google/protobuf, and nothing else."""
    own = stubs.include_paths()[0]
    sources = [str(path.relative_to(ROOT / "proto")) for path in (ROOT / "proto").rglob("*.proto")]
    to = tmp_path / "set.binpb"
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{ROOT / 'proto'}",
        f"-I{own}",
        f"--descriptor_set_out={to}",
        *sources,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    names = {file.name for file in descriptor_pb2.FileDescriptorSet.FromString(to.read_bytes()).file}
    assert {"google/rpc/status.proto", "google/rpc/error_details.proto", "oaktree/v1/compute.proto"} <= names


def test_everything_is_current_and_compatible(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr()


def test_a_stub_that_was_changed_by_hand_is_shown(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stub = copy / "src/oaktree/v1/compute_pb2_grpc.py"
    stub.write_text(stub.read_text() + "# mine\n")
    (copy / "src/oaktree/v1/former_pb2.py").touch()
    assert main(["--check"], copy) == 1
    said = capsys.readouterr().out
    assert "-# mine" in said
    assert "former_pb2.py is of no definition" in said


def test_what_is_stale_is_made_anew(copy: Path) -> None:
    """As it is here, which is current."""
    shutil.rmtree(copy / "src")
    (copy / "proto/oaktree/v1/compute.proto").unlink()
    assert main([], copy) == 0
    made = [path.relative_to(copy) for path in copy.rglob("*") if path.is_file()]
    assert {Path("proto/oaktree/v1/compute.proto"), Path("src/openstackoid/oaktree/kinds.json")} <= set(made)
    assert {path.name for path in ROOT.glob("src/oaktree/v1/*_pb2*")} <= {path.name for path in made}
    for path in made:
        assert (copy / path).read_bytes() == (ROOT / path).read_bytes(), path


# What would break programs, as a change of a definition by hand, each of something else; and what buf says of it.
BREAKING = {
    "a field's number": (
        r"(optional string access_ipv4) = (\d+);",
        r"\1 = 400\2;",
        'field "6" .*access_ipv4.* was deleted without reserving the number',
    ),
    "a field's type": (
        r"optional string availability_zone\b",
        "optional int64 availability_zone",
        'availability_zone" .* changed type',
    ),
    "a field's name": (r"string config_drive =", "string drive_of_config =", 'changed name from "config_drive"'),
    "a field's presence": (
        r"optional string description\b",
        "string description",
        'description" .* changed cardinality',
    ),
    "a field that is gone": (
        r"  optional string vm_state = \d+;\n",
        "",
        'vm_state" .* was deleted without reserving the name',
    ),
    "an rpc that is gone": (r"  rpc GetServer\(.*\n", "", 'RPC "GetServer" .* was deleted'),
    "an rpc's answer": (
        r"returns \(GetFlavorResponse\)",
        "returns (GetServerResponse)",
        'RPC "GetFlavor" .* changed response type',
    ),
    "an rpc that streams no more": (
        r"returns \(stream ListServersResponse\)",
        "returns (ListServersResponse)",
        'RPC "ListServers" .* from server streaming',
    ),
    "a Java package": (r"org\.openstackoid\.oaktree\.v1", "org.example", 'File option "java_package" changed'),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What buf says when all of these are changed: a line for each problem."""
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(ROOT / "proto", folder / "proto")
    path = folder / "proto/oaktree/v1/compute.proto"
    text = path.read_text()
    for pattern, replacement, _ in BREAKING.values():
        text, times = re.subn(pattern, replacement, text, count=1)
        assert times == 1
    path.write_text(text)
    return compatibility.problems(folder)


@pytest.mark.parametrize("change", BREAKING)
def test_a_breaking_change_is_caught(broken: str, change: str) -> None:
    assert re.search(BREAKING[change][2], broken)


def test_what_does_not_break_is_let_through(copy: Path) -> None:
    path = copy / "proto/oaktree/v1/compute.proto"
    text = path.read_text()
    number = re.search(r"optional string vm_state = (\d+);", text)
    assert number
    removed = text.replace(
        number[0], f'reserved {number[1]};\n  reserved "vm_state";\n  // New.\n  optional string new_field = 4000;'
    )
    path.write_text(removed)
    assert compatibility.problems(copy) == ""


def test_what_is_not_documented_is_caught(copy: Path) -> None:
    path = copy / "proto/oaktree/v1/location.proto"
    path.write_text(re.sub(r"  // The cloud's name in .*\n.*\n?(?=  string cloud)", "", path.read_text()))
    assert '"cloud" should have a non-empty comment' in compatibility.problems(copy)


def test_numbers_are_the_registrys(messages: dict[str, descriptor_pb2.DescriptorProto]) -> None:
    numbers = registry.load((ROOT / "proto/registry.json").read_text())
    assert {typed.message for typed in TYPED} <= numbers.keys()
    for name, entries in numbers.items():
        message = messages[name]
        fields = {field.name: field.number for field in message.field}
        assert {n: e.number for n, e in entries.items() if not e.removed}.items() <= fields.items()
        used = [number for e in entries.values() for number in (e.number, *e.former)]
        assert len(used) == len(set(used))
        kept = {number for span in message.reserved_range for number in range(span.start, span.end)}
        assert kept == {n for e in entries.values() for n in (*e.former, *((e.number,) if e.removed else ()))}
        assert set(message.reserved_name) == {n for n, e in entries.items() if e.removed}
    for typed in TYPED:
        assert {field.name for field in messages[typed.message].field} - numbers[typed.message].keys() == {
            "location",
            "other",
        }


def test_options_of_languages_are_set_in_every_file(files: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    assert len(files) == 15
    for file in files.values():
        assert file.options.go_package == "openstackoid/oaktree/v1;oaktreev1"
        assert file.options.java_package == "org.openstackoid.oaktree.v1"
        assert file.options.java_multiple_files
        assert file.options.ruby_package == "Oaktree::V1"


def test_typed_messages_name_classes_of_openstacksdk(messages: dict[str, descriptor_pb2.DescriptorProto]) -> None:
    classes = {found.kind: found for found in read()}
    for typed in TYPED:
        option = messages[typed.message].options.Extensions[annotations_pb2.resource]
        assert option.kind == typed.kind
        assert option.sdk_class == classes[typed.kind].sdk_class
        module, _, name = option.sdk_class.rpartition(".")
        assert hasattr(importlib.import_module(module), name)
    marked = [m.name for m in messages.values() if m.options.HasExtension(annotations_pb2.resource)]
    assert sorted(marked) == sorted(typed.message for typed in TYPED)


def test_scalars_tell_absent_from_empty(messages: dict[str, descriptor_pb2.DescriptorProto]) -> None:
    for typed in TYPED:
        for field in messages[typed.message].field:
            if field.label != field.LABEL_REPEATED and field.type != field.TYPE_MESSAGE:
                assert field.proto3_optional, f"{typed.message}.{field.name}"


def _accessors(name: str) -> Iterator[str]:
    yield from (f"{prefix}_{name}" for prefix in ("has", "clear", "set", "mutable", "release", "add"))
    yield f"{name}_size"


def test_names_do_not_clash_in_languages(messages: dict[str, descriptor_pb2.DescriptorProto]) -> None:
    """In C++ a field brings methods with it: `has_x` is one, and cannot be a field beside `x`."""
    for message in messages.values():
        names = {field.name for field in message.field}
        methods = {method for name in names for method in _accessors(name)}
        assert not names & methods, message.name
        assert all(re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]|[a-z]", name) for name in names)


def test_secrets_are_marked(files: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    for file, message, field in (
        ("identity", "User", "password"),
        ("compute", "Server", "admin_password"),
        ("compute", "Keypair", "private_key"),
    ):
        assert "never logged" in _comment(files[f"oaktree/v1/{file}.proto"], message, field)


def test_facts_of_the_api_are_in_comments(files: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    said = _comment(files["oaktree/v1/compute.proto"], "Server", "vm_state")
    assert "`OS-EXT-STS:vm_state`" in said
    assert "filter lists" in said
    zone = _comment(files["oaktree/v1/dns.proto"], "DnsZone", "delete_shares")
    assert "header `x-designate-delete-shares`" in zone
    port = next(m for m in files["oaktree/v1/network.proto"].message_type if m.name == "Port")
    assert next(f for f in port.field if f.name == "tenant_id").options.deprecated
    assert not next(f for f in port.field if f.name == "project_id").options.deprecated


def _comment(file: descriptor_pb2.FileDescriptorProto, message: str, field: str) -> str:
    at = [m.name for m in file.message_type].index(message)
    path = [4, at, 2, [f.name for f in file.message_type[at].field].index(field)]
    return next(place.leading_comments for place in file.source_code_info.location if list(place.path) == path)


# The registry.

NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
FIELDS = st.dictionaries(NAMES, st.just("string"))


@given(st.lists(FIELDS, min_size=1, max_size=8))
@settings(deadline=None)
def test_numbers_never_change_and_are_never_shared(versions: list[dict[str, str]]) -> None:
    """Whatever comes and goes, in any order, over versions of openstacksdk."""
    entries: dict[str, Entry] = {}
    owner: dict[int, str] = {}
    for fields in versions:
        entries = renew("M", entries, fields.items(), first=3)
        assert {name for name, entry in entries.items() if not entry.removed} == fields.keys()
        for name, entry in entries.items():
            assert owner.setdefault(entry.number, name) == name
            assert entry.number >= 3
        assert registry.load(registry.dump({"M": entries})) == {"M": entries}
    assert len(owner) == len(entries)


def test_an_attribute_that_is_gone_keeps_its_number_for_itself() -> None:
    entries = renew("M", {}, [("a", "string"), ("b", "bool")], first=3)
    without = renew("M", entries, [("b", "bool"), ("c", "string")], first=3)
    assert without["a"] == Entry(3, "string", removed=True)
    assert without["c"].number == 5
    back = renew("M", without, [("a", "string"), ("b", "bool"), ("c", "string")], first=3)
    assert back["a"] == Entry(3, "string")


def test_a_type_does_not_change() -> None:
    entries = renew("M", {}, [("a", "string")], first=3)
    with pytest.raises(RetypedError, match=r"M\.a is 'string' .* would become 'int64'"):
        renew("M", entries, [("a", "int64")], first=3)
    with pytest.raises(RetypedError):
        renew("M", renew("M", entries, [], first=3), [("a", "int64")], first=3)


def test_a_type_changes_where_it_is_told_to_with_a_new_number() -> None:
    entries = renew("M", {}, [("a", "string"), ("b", "bool")], first=3)
    changed = renew("M", entries, [("a", "int64"), ("b", "bool")], first=3, retype=["M.a"])
    assert changed["a"] == Entry(5, "int64", former=(3,))
    again = renew("M", changed, [("a", "double"), ("c", "bool")], first=3, retype=["M.a"])
    assert again["a"] == Entry(6, "double", former=(3, 5))
    assert again["c"].number == 7


def test_numbers_that_protobuf_keeps_are_not_given() -> None:
    entries = {"a": Entry(18999, "string")}
    assert renew("M", entries, [("a", "string"), ("b", "string")], first=3)["b"].number == 20000


def test_the_tool_refuses_another_type_and_writes_nothing(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy / "proto/registry.json"
    numbers = registry.load(path.read_text())
    numbers["Server"]["vm_state"] = Entry(numbers["Server"]["vm_state"].number, "bool")
    changed = registry.dump(numbers)
    path.write_text(changed)
    assert main([], copy) == 1
    assert "Server.vm_state" in capsys.readouterr().err
    assert path.read_text() == changed
    assert main(["--retype", "Server.vm_state"], copy) == 0
    entry = registry.load(path.read_text())["Server"]["vm_state"]
    assert entry.former == (numbers["Server"]["vm_state"].number,)
    assert f"reserved {entry.former[0]};" in (copy / "proto/oaktree/v1/compute.proto").read_text()


def test_an_attribute_that_openstacksdk_lost_is_reserved(copy: Path) -> None:
    path = copy / "proto/registry.json"
    numbers = registry.load(path.read_text())
    numbers["Flavor"]["of_old"] = Entry(900, "string")
    path.write_text(registry.dump(numbers))
    assert main([], copy) == 0
    text = (copy / "proto/oaktree/v1/compute.proto").read_text()
    assert "reserved 900;" in text
    assert 'reserved "of_old";' in text
    assert registry.load(path.read_text())["Flavor"]["of_old"].removed


# What is read from openstacksdk.
