"""Statements of use: what a provider says its consumer has used in a period, signed, and the consumer's signed answer. Pure.

The provider numbers its statements of a contract from 1. Periods follow one another: none covers a day of another. The consumer's answer names the
digest of the statement, so both signatures stand for the same text. A statement never changes: one that was wrong is answered `accepted: false`, and what
is owed besides is for people.

On the wire both are JWS of type `openstackoid-usage+jws` by the sender's signing key:

    {"iss": "CloudP", "aud": "CloudA", "contract": "0f3c...", "number": 1, "kind": "statement", "time": "2027-01-01T02:00:00Z",
     "from": "2026-12-01", "until": "2027-01-01", "lines": [["7d3e...", "2026-12-01", "m1.small", "hour", "24.000000"]], "totals": {"EUR": "0.288000000"}}
    {"iss": "CloudA", "aud": "CloudP", "contract": "0f3c...", "number": 1, "kind": "answer", "time": "...", "digest": "5e88...", "accepted": true, "reason": ""}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from openstackoid.regions.objects.terms import Terms, digest
from openstackoid.regions.objects.usage import Line, Period, plain, totals
from openstackoid.trust import signatures
from openstackoid.trust.keys import Keys

TYPE: Final = "openstackoid-usage+jws"
LONGEST: Final = 900_000  # characters of a signed statement: some 8,000 lines
STATEMENT, ANSWER = "statement", "answer"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement; the first form above.

    Attributes:
        document: its payload, as a schema has checked it.
    """

    document: Mapping[str, Any]

    @property
    def number(self) -> int:
        """Among the contract's."""
        return int(self.document["number"])

    @property
    def period(self) -> Period:
        """Its days. Raises PeriodError: they are none."""
        return Period.parse(self.document["from"], self.document["until"])

    @property
    def lines(self) -> list[Line]:
        """Its lines."""
        rows = self.document["lines"]
        return [Line(project, day, sku, unit, Decimal(quantity)) for project, day, sku, unit, quantity in rows]

    @property
    def digest(self) -> str:
        """What the answer names."""
        return digest(dict(self.document))


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a statement differs from what one side finds itself.

    Attributes:
        what: `quantity`, `total`, `project` (unknown here) or `requests` (none of that project is in the audit).
        project, day, sku, unit: of the line; empty where there is none.
        stated: what the statement says.
        own: what is found.
    """

    what: str
    project: str = ""
    day: str = ""
    sku: str = ""
    unit: str = ""
    stated: str = ""
    own: str = ""


def make(
    us: str, peer: str, contract: str, number: int, period: Period, lines: Sequence[Line], terms: Terms, time: str
) -> Statement:
    """A provider's statement of lines."""
    rows = [[*line.key, plain(line.quantity)] for line in sorted(lines)]
    return Statement(
        {
            "iss": us,
            "aud": peer,
            "contract": contract,
            "number": number,
            "kind": STATEMENT,
            "time": time,
            "from": period.first.isoformat(),
            "until": period.end.isoformat(),
            "lines": rows,
            "totals": totals(lines, terms.price),
        }
    )


def answer(us: str, statement: Statement, *, accepted: bool, reason: str, time: str) -> dict[str, Any]:
    """The consumer's answer."""
    return {
        "iss": us,
        "aud": statement.document["iss"],
        "contract": statement.document["contract"],
        "number": statement.number,
        "kind": ANSWER,
        "time": time,
        "digest": statement.digest,
        "accepted": accepted,
        "reason": reason,
    }


def differences(statement: Statement, found: Sequence[Line], terms: Terms) -> list[Difference]:
    """Where a statement differs from lines that were found now, and from the terms' prices."""
    stated, own = ({line.key: line.quantity for line in lines} for lines in (statement.lines, found))
    differing = [
        Difference("quantity", *key, stated=str(stated.get(key, "")), own=str(own.get(key, "")))
        for key in sorted(stated.keys() | own.keys())
        if stated.get(key) != own.get(key)
    ]
    sums = totals(statement.lines, terms.price)
    for currency in sorted(sums.keys() | statement.document["totals"].keys()):
        amounts = statement.document["totals"].get(currency, ""), sums.get(currency, "")
        if amounts[0] != amounts[1]:
            differing.append(Difference("total", unit=currency, stated=amounts[0], own=amounts[1]))
    return differing


def is_one(text: str) -> bool:
    """Whether an unverified text is a statement or an answer, and no other message."""
    try:
        signatures.unverified(text, TYPE, LONGEST)
    except signatures.SignatureError:
        return False
    return True


def sender(text: str) -> str:
    """The cloud that an unverified text names as its sender.

    Raises:
        SignatureError: it is none at all.
    """
    return str(signatures.unverified(text, TYPE, LONGEST).get("iss", ""))


def sign(document: Mapping[str, Any], keys: Keys, now: float) -> str:
    """A statement or an answer as it goes to the other side."""
    return signatures.sign(dict(document), TYPE, keys.signer(now))


def verify(text: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The payload, after its signature; its form is the caller's to check.

    Raises:
        SignatureError: it was not signed by one of these keys, as it stands.
    """
    return signatures.verify(text, TYPE, keys, LONGEST)
