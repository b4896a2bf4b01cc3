"""What answers are cached by: who asks, down to the project, and what is asked. Only hashes leave the process. Pure."""

import hashlib
import json
from dataclasses import dataclass


def identity(**parts: str | None) -> str:
    """Who asks, as a text that two different askers never share.

    Args:
        **parts: everything that decides what a cloud shows: cloud, region, auth_url, user_id, project_id, domain_id, system.
    """
    return json.dumps(parts, sort_keys=True)


@dataclass(frozen=True)
class Key:
    """One question of one asker.

    Attributes:
        identity: who asks, as `identity` makes it.
        kind: what is asked for, as "compute.server".
        question: the rest: filters, parents, pages; any bytes that say it completely.
    """

    identity: str
    kind: str
    question: bytes = b""

    @property
    def digest(self) -> str:
        """What stands for it outside."""
        return "oaktree:answer:" + _digest(self.identity.encode(), self.kind.encode(), self.question)

    @property
    def generation(self) -> str:
        """What stands outside for all of this asker's questions for the kind."""
        return _digest(self.identity.encode(), self.kind.encode())


def _digest(*parts: bytes) -> str:
    # Each with its length: no two lists of parts make the same bytes.
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()
