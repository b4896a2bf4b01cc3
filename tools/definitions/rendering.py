"""Writes a service's definition: its rpcs, their messages, and a message for each kind."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tools.definitions.messages import Kind, messages
from tools.definitions.syntax import comment_lines
from tools.definitions.tables import SERVICES, STRUCT

_HEAD: Final = """\
// Licensed under the Apache License, Version 2.0; see LICENSE.
// Made by tools/definitions from openstacksdk's classes: change it there.

syntax = "proto3";

package oaktree.v1;

{imports}

option go_package = "openstackoid/oaktree/v1;oaktreev1";
option java_multiple_files = true;
option java_package = "org.openstackoid.oaktree.v1";
option ruby_package = "Oaktree::V1";
"""
_IMPORTS: Final = {
    STRUCT: "google/protobuf/struct.proto",
    "google.protobuf.Value": "google/protobuf/struct.proto",
    "google.protobuf.ListValue": "google/protobuf/struct.proto",
    "google.protobuf.FieldMask": "google/protobuf/field_mask.proto",
    "google.protobuf.Timestamp": "google/protobuf/timestamp.proto",
    "(oaktree.v1.resource)": "oaktree/v1/annotations.proto",
    "Summary": "oaktree/v1/common.proto",
    "Change": "oaktree/v1/common.proto",
    "Location": "oaktree/v1/location.proto",
}


@dataclass(frozen=True, slots=True)
class _Rpc:
    """What rpcs of a verb have in common.

    Attributes:
        verb: the verb.
        comment: what they do, of "{words}" or "{one}".
        many: they are about many resources.
        streams_in: requests are streamed.
        streams_out: answers are streamed.
        answer: the verb whose answer they give, if it is another one.
    """

    verb: str
    comment: str
    many: bool = False
    streams_in: bool = False
    streams_out: bool = False
    answer: str = ""


_RPCS: Final = (
    _Rpc(
        "list",
        "Lists every {words} of the locations, each cloud's as they come, then a summary.",
        many=True,
        streams_out=True,
    ),
    _Rpc("get", "One {words}."),
    _Rpc("create", "Creates the {words} in each of the locations.", streams_out=True),
    _Rpc(
        "upload",
        "Creates the {words} in each of the locations, with the data that follows the first message.",
        streams_in=True,
        streams_out=True,
        answer="Create",
    ),
    _Rpc("update", "Changes {one}."),
    _Rpc("delete", "Deletes {one}."),
    _Rpc("watch", "Changes of one {words}, or of all, until a condition holds.", streams_out=True),
)


def render(service: str, kinds: Sequence[Kind]) -> str:
    """The definition of a service."""
    body = "\n".join([_service(service, kinds), *(text for kind in kinds for text in messages(kind))])
    used = {
        path for word, path in _IMPORTS.items() if re.search(rf"(?:^|[\s(]){re.escape(word)}[\s.=]", body, re.MULTILINE)
    }
    imports = "\n".join(f'import "{path}";' for path in sorted(used))
    return _HEAD.format(imports=imports) + "\n" + body


def service_name(service: str) -> str:
    """The name of a service's rpc service: "BlockStorageService"."""
    return "".join(part.capitalize() for part in service.split("_")) + "Service"


def _service(service: str, kinds: Sequence[Kind]) -> str:
    lines = comment_lines(f"{SERVICES[service]}. Every kind has the same verbs, as far as its API has them.", 0)
    lines.append(f"service {service_name(service)} {{")
    for kind in kinds:
        for rpc in _RPCS:
            if kind.can(rpc.verb):
                name = f"{rpc.verb.capitalize()}{kind.name}{'s' if rpc.many else ''}"
                asked = f"{'stream ' if rpc.streams_in else ''}{name}Request"
                answered = f"{rpc.answer}{kind.name}" if rpc.answer else name
                said = f"{'stream ' if rpc.streams_out else ''}{answered}Response"
                lines += comment_lines(rpc.comment.format(words=kind.typed.words, one=kind.typed.one), 2)
                lines.append(f"  rpc {name}({asked}) returns ({said});")
    return "\n".join([*lines, "}", ""])
