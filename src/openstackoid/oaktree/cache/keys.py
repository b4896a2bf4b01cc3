"""Cache keys: the caller's identity, down to the project, and the question. Only hashes leave the process. Pure."""

import hashlib
import json
from dataclasses import dataclass


def identity(**parts: str | None) -> str:
    """The identity of a caller, as a string that is different for different callers.

    Args:
        **parts: all values that affect a cloud's answers: cloud, region, auth_url, user_id, project_id, domain_id, system.
    """
    return json.dumps(parts, sort_keys=True)


@dataclass(frozen=True)
class Key:
    """The key of one question of one caller.

    Attributes:
        identity: the caller's identity, as `identity` makes it.
        kind: the kind of the resources, such as "compute.server".
        question: all other parameters: filters, parents, pages; any unambiguous encoding.
    """

    identity: str
    kind: str
    question: bytes = b""

    @property
    def digest(self) -> str:
        """The hash of the key for use outside the process."""
        return "oaktree:answer:" + _digest(self.identity.encode(), self.kind.encode(), self.question)

    @property
    def generation(self) -> str:
        """The hash that names the generation of all questions of this caller for the kind."""
        return _digest(self.identity.encode(), self.kind.encode())


def _digest(*parts: bytes) -> str:
    # Each part has its length as a prefix: different lists of parts never give the same bytes.
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
