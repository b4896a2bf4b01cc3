"""Messages between the two sides of a contract: numbered, chained, signed. Pure.

Each side numbers its own messages of a contract from 1. A message names the digest of the sender's message before it (`previous`) and the number of
the other side's messages that the sender had processed (`seen`). So a peer can neither leave one out nor write two under one number unseen, and
both sides derive the same order of all messages (`contract`).

On the wire a message is a JWS (RFC 7515) of type `openstackoid-contract+jws` by the sender's signing key (`trust.keys`), with this payload:

    {"iss": "CloudA", "aud": "CloudP", "contract": "0f3c...", "number": 2, "seen": 1, "previous": "9b1c...",
     "event": "accept", "time": "2026-12-01T10:00:00Z", "terms": null, "digest": "5e88...", "reason": ""}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from openstackoid.regions.objects.states import ContractEvent
from openstackoid.regions.objects.terms import Terms, digest
from openstackoid.trust import signatures
from openstackoid.trust.keys import Keys

TYPE: Final = "openstackoid-contract+jws"
LONGEST: Final = 1 << 18  # characters of a signed message
WITH_TERMS: Final = frozenset({ContractEvent.REQUEST, ContractEvent.COUNTER})


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a contract, as its sender signs it.

    Attributes:
        sender, recipient: names of clouds.
        contract: the contract's id.
        number: among the sender's messages of this contract, from 1.
        seen: how many of the recipient's messages the sender had processed.
        previous: digest of the sender's message before this one; empty for the first.
        event: what happens.
        time: when, by the sender's clock (`terms.format_time`).
        terms: of `request` and `counter`.
        terms_digest: of the terms that `accept` accepts.
        reason: for people.
    """

    sender: str
    recipient: str
    contract: str
    number: int
    seen: int
    previous: str
    event: ContractEvent
    time: str
    terms: Terms | None = None
    terms_digest: str | None = None
    reason: str = ""

    @property
    def digest(self) -> str:
        """What the next message names as the one before it."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The payload above."""
        return {
            "iss": self.sender,
            "aud": self.recipient,
            "contract": self.contract,
            "number": self.number,
            "seen": self.seen,
            "previous": self.previous,
            "event": self.event.value,
            "time": self.time,
            "terms": self.terms.to_json() if self.terms else None,
            "digest": self.terms_digest,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Message":
        """Read a payload whose form a schema has checked.

        Raises:
            TermsError: its terms contradict themselves.
        """
        terms = document["terms"]
        return cls(
            document["iss"],
            document["aud"],
            document["contract"],
            document["number"],
            document["seen"],
            document["previous"],
            ContractEvent(document["event"]),
            document["time"],
            None if terms is None else Terms.from_json(terms),
            document["digest"],
            document["reason"],
        )


def sign(message: Message, keys: Keys, now: float) -> str:
    """A message as it goes to the other side.

    Args:
        message: of this cloud.
        keys: this cloud's.
        now: Unix seconds: which key signs.
    """
    return signatures.sign(message.to_json(), TYPE, keys.signer(now))


def sender(text: str) -> str:
    """The cloud that an unverified message names as its sender: whose keys to try.

    Raises:
        SignatureError: it is no message at all.
    """
    return str(signatures.unverified(text, TYPE, LONGEST).get("iss", ""))


def verify(text: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of a message, after its signature; its form is the caller's to check.

    Args:
        text: a JWS.
        keys: kid -> public key of the cloud that it names as its sender.

    Raises:
        SignatureError: it was not signed by one of these keys, as it stands.
    """
    return signatures.verify(text, TYPE, keys, LONGEST)
