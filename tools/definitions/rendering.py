"""Writes a service's definition: its rpcs, their messages, and a message for each kind."""

import re
from collections.abc import Sequence
from typing import Final

from openstackoid.oaktree.verbs import VERBS
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
        for verb in VERBS:
            if kind.can(verb):
                name = verb.rpc(kind.name)
                request = f"{'stream ' if verb.stream_in else ''}{name}Request"
                response = f"{'stream ' if verb.stream_out else ''}{verb.answer(kind.name)}"
                lines += comment_lines(verb.comment.format(words=kind.typed.words, one=kind.typed.one), 2)
                lines.append(f"  rpc {name}({request}) returns ({response});")
    return "\n".join([*lines, "}", ""])
