"""A client's options for a change in several clouds, in headers.

X-Scope-On-Failure: undo       what happens to a create if a cloud fails: undo (the default), keep what worked, or converge later
X-Scope-Match: name            what the request names by id need not be a replica: one of the same name and kind in each cloud will do
Idempotency-Key: TEXT          a request with the same key is the same request, however often it is sent
"""

import re
from dataclasses import dataclass
from typing import Final

from multidict import CIMultiDictProxy

from openstackoid.core.errors import BadRequestError
from openstackoid.core.protocol import OF_SEVERAL
from openstackoid.gateway.fanout.wishes import MATCH
from openstackoid.gateway.replicas.records import Policy

ON_FAILURE: Final = f"{OF_SEVERAL}On-Failure"
KEY: Final = "Idempotency-Key"
_KEY: Final = re.compile(r'"?([\x21\x23-\x5b\x5d-\x7e]{1,255})"?\Z')


@dataclass(frozen=True, slots=True)
class WriteWishes:
    """The parsed options.

    Attributes:
        policy: what happens to a create if a cloud fails.
        by_name: whether a resource of the same name stands for one that the request names.
        key: idempotency key.
    """

    policy: Policy = Policy.UNDO
    by_name: bool = False
    key: str | None = None

    @classmethod
    def of(cls, headers: CIMultiDictProxy[str]) -> "WriteWishes":
        """Read a request's headers.

        Raises:
            BadRequestError: one of them is malformed.
        """
        policy, match, text = headers.get(ON_FAILURE, Policy.UNDO), headers.get(MATCH), headers.get(KEY)
        if policy not in set(Policy):
            raise BadRequestError(f"Expected undo, keep or converge at {ON_FAILURE}.")
        if match not in {None, "name"}:
            raise BadRequestError(f"Expected name at {MATCH}.")
        key = _KEY.match(text) if text is not None else None
        if text is not None and key is None:
            raise BadRequestError(f"Expected 1 to 255 printable characters without spaces at {KEY}.")
        return cls(Policy(policy), match is not None, key[1] if key else None)
