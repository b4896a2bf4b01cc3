"""The table of the API's verbs: names and types of their RPCs, the kinds that support them, and the permissions. Pure.

A new verb needs a row here, its messages in `tools/definitions/messages.py`, and its implementation in `rpcs/verbs.py`. Policies, the definitions, the server's
handlers and the routing to other oaktrees read this table.
"""

import re
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        name: the name in policies, of the method of `rpcs.verbs.Verbs`, and at the start of its RPCs: "GetServer".
        past: the past participle, for errors: "compute.server cannot be ...".
        comment: the documentation of its RPCs, with "{words}" for the kind and "{one}" for one resource.
        needs: the capabilities of openstacksdk's class of which it needs one.
        only: the kinds that support the verb; empty for all.
        reads: the verb changes nothing: it is allowed if a policy names no verbs.
        on_record: the verb is recorded as an operation, under the caller's name.
        about_one: requests name one resource, or its parents: they have the parameters of its path as fields.
        plural: its RPCs have plural names: "ListServers".
        stream_in: its RPCs have a stream of requests.
        stream_out: its RPCs have a stream of responses.
        encoded: its method returns responses as bytes.
        response: the verb whose response type it uses; empty for its own.
    """

    name: str
    past: str
    comment: str
    needs: frozenset[str]
    only: frozenset[str] = field(default=frozenset())
    reads: bool = False
    on_record: bool = False
    about_one: bool = True
    plural: bool = False
    stream_in: bool = False
    stream_out: bool = False
    encoded: bool = False
    response: str = ""

    def serves(self, kind: str, capabilities: frozenset[str]) -> bool:
        """Whether a kind supports the verb, by the capabilities of openstacksdk's class: "list", "get", "create", "update", "delete"."""
        return bool(self.needs & capabilities) and (not self.only or kind in self.only)

    def rpc(self, message: str) -> str:
        """The name of the verb's RPC for a message: "ListServers"."""
        return f"{self.name.capitalize()}{message}{'s' if self.plural else ''}"

    def answer(self, message: str) -> str:
        """The name of the RPC's response: "ListServersResponse"."""
        return f"{self.response.capitalize()}{message}Response" if self.response else f"{self.rpc(message)}Response"


LIST: Final = Verb(
    name="list",
    past="listed",
    comment="Lists every {words} of the locations, each cloud's as they come, then a summary.",
    needs=frozenset({"list"}),
    reads=True,
    plural=True,
    stream_out=True,
)
GET: Final = Verb(name="get", past="asked for by id", comment="One {words}.", needs=frozenset({"get"}), reads=True)
CREATE: Final = Verb(
    name="create",
    past="created",
    comment="Creates the {words} in each of the locations.",
    needs=frozenset({"create"}),
    on_record=True,
    about_one=False,
    stream_out=True,
)
UPLOAD: Final = Verb(
    name="upload",
    past="uploaded",
    comment="Creates the {words} in each of the locations, with the data that follows the first message.",
    needs=frozenset({"create"}),
    only=frozenset({"image.image"}),
    on_record=True,
    about_one=False,
    stream_in=True,
    stream_out=True,
    response="create",
)
UPDATE: Final = Verb(name="update", past="changed", comment="Changes {one}.", needs=frozenset({"update"}))
DELETE: Final = Verb(name="delete", past="deleted", comment="Deletes {one}.", needs=frozenset({"delete"}))
WATCH: Final = Verb(
    name="watch",
    past="watched",
    comment="Changes of one {words}, or of all, until a condition holds.",
    needs=frozenset({"list", "get"}),
    reads=True,
    stream_out=True,
    encoded=True,
)

# In the order of the definitions.
VERBS: Final = (LIST, GET, CREATE, UPLOAD, UPDATE, DELETE, WATCH)

# The permissions of policies: the verbs, and `GetRestInfo`, which gives access to a cloud's own API.
REST: Final = "rest"
PERMISSIONS: Final = frozenset({*(verb.name for verb in VERBS), REST})
READING: Final = frozenset(verb.name for verb in VERBS if verb.reads)
ON_RECORD: Final = frozenset(verb.name for verb in VERBS if verb.on_record)

_RPC: Final = re.compile(rf"({'|'.join(verb.name.capitalize() for verb in VERBS)})([A-Z]\w*)")
_BY_NAME: Final = {verb.name: verb for verb in VERBS}


def parsed(rpc: str) -> tuple[Verb, str] | None:
    """Parse the name of an RPC. Returns its verb and the rest of the name; None if the name begins with no verb."""
    match = _RPC.fullmatch(rpc)
    return None if match is None else (_BY_NAME[match[1].lower()], match[2])
