"""Writes a kind's messages: the resource itself, and a request and a response for each verb."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from openstackoid.oaktree.verbs import CREATE, DELETE, GET, LIST, UPDATE, UPLOAD, VERBS, WATCH, Verb
from tools.definitions.classes import ResourceClass, snake
from tools.definitions.registry import Entry
from tools.definitions.syntax import Field, message, reserved
from tools.definitions.tables import STRUCT, Typed
from tools.definitions.words import describe

# Where the fields begin that the resource's class has; those below are the same in every message.
FIRST_FIELD: Final = 3
FIRST_PARENT: Final = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind, with all that its messages need.

    Attributes:
        typed: what we chose.
        resource: what openstacksdk's class says.
        registry: numbers of the fields, by message.
    """

    typed: Typed
    resource: ResourceClass
    registry: Mapping[str, Mapping[str, Entry]]

    @property
    def name(self) -> str:
        """The message."""
        return self.typed.message

    @property
    def field(self) -> str:
        """The field that holds one of them."""
        return snake(self.name)

    def can(self, verb: Verb) -> bool:
        """Whether the verb is there."""
        return verb.serves(self.typed.kind, frozenset(self.resource.verbs))


def requests_with_parents(message: str, kind: str, capabilities: Sequence[str]) -> list[str]:
    """Messages that have the parts of the resource's path as fields."""
    able = frozenset(capabilities)
    return [f"{verb.rpc(message)}Request" for verb in VERBS if verb.about_one and verb.serves(kind, able)]


def messages(kind: Kind) -> list[str]:
    """The kind's own message first, then those of its verbs."""
    makers: dict[Verb, Callable[[Kind], list[str]]] = {
        LIST: _list,
        GET: _get,
        CREATE: _create,
        UPLOAD: lambda _: [_UPLOAD],
        UPDATE: _update,
        DELETE: _delete,
        WATCH: _watch,
    }
    return [_resource(kind), *(text for verb, make in makers.items() if kind.can(verb) for text in make(kind))]


def _resource(kind: Kind) -> str:
    described = {a.name: a for a in kind.resource.attributes}
    words = kind.typed.words
    fields = [
        Field("Location", "location", 1, "Where it is. Where one is created, its zone counts."),
        Field(
            STRUCT,
            "other",
            2,
            "What the cloud said beside these fields, and values that do not fit a field's type; names are the API's.",
        ),
    ]
    for name, entry in kind.registry[kind.name].items():
        if not entry.removed:
            attribute = described[name]
            scalar = entry.type in {"string", "int64", "double", "bool"}
            fields.append(
                Field(
                    f"optional {entry.type}" if scalar else entry.type,
                    name,
                    entry.number,
                    describe(kind.typed.kind, words, attribute),
                    "deprecated = true" if attribute.deprecated else "",
                )
            )
    option = f'  option (oaktree.v1.resource) = {{\n    sdk_class: "{kind.resource.sdk_class}"\n    kind: "{kind.typed.kind}"\n  }};'
    return message(kind.name, kind.typed.sentence, fields, [option, *reserved(kind.registry[kind.name])])


def _list(kind: Kind) -> list[str]:
    request = f"List{kind.name}sRequest"
    return [
        message(request, f"Lists every {kind.typed.words}.", [
            Field("repeated Location", "locations", 1, "Where to look; everywhere if empty."),
            Field("ListOptions", "options", 2, "How."),
            *_parents(kind, request),
        ], reserved(kind.registry.get(request, {}))),
        message(f"List{kind.name}sResponse", "Some of them, or the summary, which comes last.", [
            Field(f"repeated {kind.name}", f"{kind.field}s", 1, "Of one cloud-region."),
            Field("Summary", "summary", 2, "The end."),
        ]),
    ]  # fmt: skip


def _get(kind: Kind) -> list[str]:
    where = Field(
        "Location", "location", 1, "Where to look; everywhere if empty. Found in several clouds, it is refused."
    )
    return [
        _addressed(kind, "Get", f"Asks for one {kind.typed.words}.", where),
        message(f"Get{kind.name}Response", f"The {kind.typed.words}.", [_itself(kind, 1, "It.")]),
    ]


def _create(kind: Kind) -> list[str]:
    setup = kind.typed.kind == "compute.server"
    by_name = Field("ServerSetup", "setup", 4, "What it is created with, by names that each cloud looks up for itself.")
    return [
        message(f"Create{kind.name}Request", f"Creates {kind.typed.one}.", [
            Field("repeated Location", "locations", 1, "Where; in every cloud-region if empty."),
            _itself(kind, 2, "What to create; its id and location are ignored."),
            Field("CreateOptions", "options", 3, "How."),
            *([by_name] if setup else []),
        ]),
        message(f"Create{kind.name}Response", "A step, what was created, or the summary, which comes last.", [
            Field("Progress", "progress", 1, "What happened in one cloud-region."),
            _itself(kind, 2, "What was created."),
            Field("Summary", "summary", 3, "The end."),
        ]),
        *([_SETUP] if setup else []),
    ]  # fmt: skip


_SETUP: Final = """\
// What a server is created with, by name or id in each cloud, as openstacksdk's create_server takes it. A name that a cloud does not have fails
// the part of that cloud before anything is created there.
message ServerSetup {
  // The image to start from; instead of the server's `image_id`.
  string image = 1;
  // The flavor; instead of the server's `flavor_id`.
  string flavor = 2;
  // The networks to attach it to; instead of the server's `networks`.
  repeated string networks = 3;
  // The security groups of its ports.
  repeated string security_groups = 4;
  // A volume to start from, instead of an image.
  string boot_volume = 5;
  // Start from a new volume, which the cloud makes from the image.
  bool boot_from_volume = 6;
  // The size of that volume in GiB; 50 if not given.
  int64 volume_size = 7;
  // Delete the volume with the server; else it stays, also when the create is undone.
  bool terminate_volume = 8;
  // Give it a floating IP, unless it has an address of an external network. Needs `options.wait`.
  bool auto_ip = 9;
  // The external network of the floating IP; the first that the cloud has if not given.
  string ip_pool = 10;
  // The server group that it is to be in.
  string group = 11;
  // Volumes to attach at the start.
  repeated string volumes = 12;
}
"""
_UPLOAD: Final = """\
// A part of an upload: first what to create, then data.
message UploadImageRequest {
  // One of them.
  oneof part {
    // What to create, and where. Only in the first message.
    CreateImageRequest create = 1;
    // The next bytes of the image.
    bytes data = 2;
  }
}
"""


def _update(kind: Kind) -> list[str]:
    itself = _itself(kind, 3, "The fields that change.")
    mask = Field("google.protobuf.FieldMask", "update_mask", 4, "Which fields; those that are given if empty.")
    return [
        _addressed(kind, "Update", f"Changes {kind.typed.one}.", _where(), itself, mask),
        message(f"Update{kind.name}Response", "What it is now.", [_itself(kind, 1, "It.")]),
    ]


def _delete(kind: Kind) -> list[str]:
    missing = Field("bool", "allow_missing", 3, "One that is not there is no error.")
    return [
        _addressed(kind, "Delete", f"Deletes {kind.typed.one}.", _where(), missing),
        message(f"Delete{kind.name}Response", "What was deleted.", [
            Field("Location", "location", 1, "Where it was; empty if there was none."),
            Field("string", "id", 2, "Its id."),
        ]),
    ]  # fmt: skip


def _watch(kind: Kind) -> list[str]:
    until = Field("Condition", "until", 3, "When to end; never if empty.")
    where = Field("Location", "location", 1, "Where it is, or where to look for all.")
    return [
        _addressed(kind, "Watch", f"Watches one {kind.typed.words}, or all if no id is given.", where, until),
        message(f"Watch{kind.name}Response", "A change.", [
            Field("Change", "change", 1, "What happened."),
            _itself(kind, 2, "It, as it is now; as it was, if it is gone."),
            Field("google.protobuf.Timestamp", "seen_at", 3, "When it was seen."),
        ]),
    ]  # fmt: skip


def _addressed(kind: Kind, verb: str, comment: str, where: Field, *fields: Field) -> str:
    """A request about one resource."""
    name = f"{verb}{kind.name}Request"
    which = (
        "Its id, or its name where that is unique." if kind.typed.own_id else "Not needed: its parent says which it is."
    )
    own = [where, Field("string", "id", 2, which), *fields, *_parents(kind, name)]
    return message(name, comment, own, reserved(kind.registry.get(name, {})))


def _where() -> Field:
    return Field(
        "Location", "location", 1, "Where it is; needed only if its id or name is not unique among the clouds."
    )


def _itself(kind: Kind, number: int, comment: str) -> Field:
    return Field(kind.name, kind.field, number, comment)


def _parents(kind: Kind, message: str) -> list[Field]:
    return [
        Field("string", name, entry.number, f"Part of the path: `{name}` of the {kind.typed.words}.")
        for name, entry in kind.registry.get(message, {}).items()
        if not entry.removed
    ]
