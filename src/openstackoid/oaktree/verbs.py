"""The verbs of the API, one row each: names and shapes of their RPCs, which kinds have them, what a policy has to allow. Pure.

A new verb is a row here, its messages in `tools/definitions/messages.py` and what it does in `rpcs/verbs.py`. Policies, the definitions, the server's
handlers and the routing to other oaktrees read this table.
"""

import re
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        name: as policies say it. The method of `rpcs.verbs.Verbs` that does it has this name; its RPCs begin with it: "GetServer".
        past: for errors: "compute.server cannot be ...".
        comment: what its RPCs do, with "{words}" for the kind and "{one}" for one of it.
        needs: what openstacksdk's class must be able to do: one of these.
        only: the kinds that have it; empty for all.
        reads: it changes nothing: allowed where a policy names no verbs.
        on_record: it is kept as an operation, under its caller's name.
        about_one: requests name one resource, or its parents: they have the parts of its path as fields.
        plural: its RPCs are named after many: "ListServers".
        stream_in: a stream of requests.
        stream_out: a stream of responses.
        encoded: its method gives responses as bytes.
        response: the verb whose response it gives; empty for its own.
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
        """Whether a kind has it, by what openstacksdk's class can do: "list", "get", "create", "update", "delete"."""
        return bool(self.needs & capabilities) and (not self.only or kind in self.only)

    def rpc(self, message: str) -> str:
        """The name of its RPC for a message: "ListServers"."""
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

# In the order in which the definitions have them.
VERBS: Final = (LIST, GET, CREATE, UPLOAD, UPDATE, DELETE, WATCH)

# What a policy can allow: the verbs, and `GetRestInfo`, the way past this API.
REST: Final = "rest"
PERMISSIONS: Final = frozenset({*(verb.name for verb in VERBS), REST})
READING: Final = frozenset(verb.name for verb in VERBS if verb.reads)
ON_RECORD: Final = frozenset(verb.name for verb in VERBS if verb.on_record)

_RPC: Final = re.compile(rf"({'|'.join(verb.name.capitalize() for verb in VERBS)})([A-Z]\w*)")
_BY_NAME: Final = {verb.name: verb for verb in VERBS}


def parsed(rpc: str) -> tuple[Verb, str] | None:
    """The verb of an RPC's name, and the rest of the name; None if it begins with no verb."""
    match = _RPC.fullmatch(rpc)
    return None if match is None else (_BY_NAME[match[1].lower()], match[2])
