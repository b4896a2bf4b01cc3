"""What a contract says: which virtual region, services, rules and quota, for how much, from when until when. Pure.

    {"virtual_region": "f3a9...", "version": 2, "region_name": "V1",
     "services": ["image"], "rules": [{"service": "compute", "method": "GET", "path": "/v2.1/**"}],
     "quota": {"cores": 20, "ram": 51200},
     "price": [{"sku": "m1.small", "unit": "hour", "currency": "EUR", "amount": "0.012"}],
     "from": "2027-01-01T00:00:00Z", "until": null, "answer_by": "2026-12-15T00:00:00Z",
     "grace_days": 30, "clean_up": true, "anonymous": true, "on_delete": "clean"}

`from` and `until` bound the use; `answer_by` is when a request or a counter expires. `clean_up`: what is left after the grace days is removed. `on_delete`: what the provider does with a
sub-project whose project is deleted at home: `clean` removes it with all that it has, `disable` keeps it, disabled, until the contract is over.
`token`: `federated` (default), or `pass-through` between clouds of one owner, whose users come with their own tokens; nobody is anonymous then. The
**digest** of terms is what an acceptance signs: SHA-256 of their JSON with sorted names and without spaces, in hex.
"""

import hashlib
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from openstackoid.core.region_quota import QUOTAS
from openstackoid.core.services import service_type
from openstackoid.regions.errors import AnonymityError, TermsError
from openstackoid.trust.rules import METHODS, Rule, is_pattern

MOST_GRACE: Final = 3650  # days
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z", re.ASCII)
_AMOUNT: Final = re.compile(r"\d{1,12}(?:\.\d{1,9})?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Price:
    """What something costs.

    Attributes:
        sku: what is sold: the name of a flavor, or any other.
        unit: what is counted, such as `hour`.
        currency: three letters of ISO 4217.
        amount: a decimal number, as text: a float would not keep it.
    """

    sku: str
    unit: str
    currency: str
    amount: str

    def to_json(self) -> dict[str, str]:
        """As it stands in terms."""
        return {"sku": self.sku, "unit": self.unit, "currency": self.currency, "amount": self.amount}


class OnDelete(StrEnum):
    """What becomes of a sub-project whose project is deleted at home."""

    CLEAN = "clean"
    DISABLE = "disable"


class TokenMode(StrEnum):
    """With which tokens the consumer's users come to the provider."""

    FEDERATED = "federated"
    PASS_THROUGH = "pass-through"  # noqa: S105 - a mode


@dataclass(frozen=True, slots=True)
class Terms:
    """What both sides of a contract sign; the form above.

    Attributes:
        virtual_region: id of the region at its provider.
        version: of the region, whose resources and metadata are meant.
        region_name: under which the aggregator's users see it.
        services: service types of which everything is allowed.
        rules: what is allowed beside these.
        quota: name of `QUOTAS` -> how much, over all projects of the contract.
        price: what is paid; empty for nothing.
        begins, ends: UTC; None: without an end.
        answer_by: when unanswered terms expire.
        grace_days: for which reads and deletes go on after the end.
        clean_up: whether what is left then is removed.
        anonymous: whether the provider learns pseudonyms alone.
        on_delete: what becomes of a sub-project whose project is deleted at home.
        token: with which tokens users come.
        owners: the clouds behind the provider, if it has the region from others (`chain`), the nearest first.
    """

    virtual_region: str
    version: int
    region_name: str
    services: tuple[str, ...]
    rules: tuple[Rule, ...]
    begins: datetime
    ends: datetime | None
    answer_by: datetime
    quota: Mapping[str, int] = field(default_factory=dict)
    price: tuple[Price, ...] = ()
    grace_days: int = 30
    clean_up: bool = True
    anonymous: bool = True
    on_delete: OnDelete = OnDelete.CLEAN
    token: TokenMode = TokenMode.FEDERATED
    owners: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """What an acceptance signs."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """As they stand in messages and in the API."""
        document: dict[str, Any] = {
            "virtual_region": self.virtual_region,
            "version": self.version,
            "region_name": self.region_name,
            "services": list(self.services),
            "rules": [{"service": rule.service, "method": rule.method, "path": rule.path} for rule in self.rules],
            "quota": dict(self.quota),
            "price": [price.to_json() for price in self.price],
            "from": format_time(self.begins),
            "until": None if self.ends is None else format_time(self.ends),
            "answer_by": format_time(self.answer_by),
            "grace_days": self.grace_days,
            "clean_up": self.clean_up,
            "anonymous": self.anonymous,
            # Not there by default: terms that were signed before it existed keep their digest.
            **({} if self.on_delete is OnDelete.CLEAN else {"on_delete": self.on_delete.value}),
            **({} if self.token is TokenMode.FEDERATED else {"token": self.token.value}),
        }
        # Terms of other regions have the digest that they always had.
        return document | ({"owners": list(self.owners)} if self.owners else {})

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Terms":
        """Read terms whose form a schema has checked.

        Args:
            document: the form above; `quota`, `price`, `rules`, `until`, `grace_days`, `clean_up`, `anonymous`, `on_delete`, `token`, `owners` may be
                missing.

        Raises:
            TermsError: a value contradicts another, or gives what no contract may give; names the place.
            AnonymityError: users who come with their own tokens would have to be anonymous.
        """
        begins, answer_by = read_time(document["from"], "$.from"), read_time(document["answer_by"], "$.answer_by")
        until = document.get("until")
        ends = None if until is None else read_time(until, "$.until")
        if ends is not None and ends <= begins:
            raise TermsError("$.until", f"expected a time after from ({document['from']}), got {until}")
        services = read_services(document["services"])
        rules = read_rules(document.get("rules", ()))
        if not services and not rules:
            raise TermsError("$.services", "expected a service, or rules: a contract that allows nothing is none")
        quota = read_quota(document.get("quota", {}), {*services, *(rule.service for rule in rules)})
        grace = document.get("grace_days", 30)
        if not 0 <= grace <= MOST_GRACE:
            raise TermsError("$.grace_days", f"expected 0 to {MOST_GRACE}, got {grace}")
        anonymous, token = document.get("anonymous", True), TokenMode(document.get("token", TokenMode.FEDERATED))
        if anonymous and token is TokenMode.PASS_THROUGH:
            raise AnonymityError(
                "$.anonymous",
                "expected false beside token: pass-through: a user's own token says who the user is. For anonymous users: token: federated",
            )
        return cls(
            document["virtual_region"],
            document["version"],
            document["region_name"],
            services,
            rules,
            begins,
            ends,
            answer_by,
            quota,
            tuple(_price(price, f"$.price[{index}]") for index, price in enumerate(document.get("price", ()))),
            grace,
            document.get("clean_up", True),
            anonymous,
            OnDelete(document.get("on_delete", OnDelete.CLEAN)),
            token,
            tuple(document.get("owners", ())),
        )


def read_services(names: Sequence[str]) -> tuple[str, ...]:
    """Official service types.

    Raises:
        TermsError: one is none, is identity, or stands twice.
    """
    services = tuple(_service(name, f"$.services[{index}]") for index, name in enumerate(names))
    if len(set(services)) != len(services):
        raise TermsError("$.services", "expected each service once")
    return services


def read_rules(rules: Sequence[Mapping[str, str]]) -> tuple[Rule, ...]:
    """Access rules.

    Raises:
        TermsError: one has no service type, method or path that can be.
    """
    return tuple(_rule(rule, f"$.rules[{index}]") for index, rule in enumerate(rules))


def read_quota(quota: Mapping[str, int], services: Collection[str]) -> dict[str, int]:
    """A quota over these services.

    Raises:
        TermsError: a name is no quota, or of a service that is not among them.
    """
    for name in quota:
        if name not in QUOTAS:
            raise TermsError(f"$.quota.{name}", f"expected one of {', '.join(QUOTAS)}")
        if QUOTAS[name] not in services:
            raise TermsError(f"$.quota.{name}", f"expected the {QUOTAS[name]} service among services or rules")
    return dict(quota)


def digest(document: object) -> str:
    """SHA-256 of a JSON value with sorted names and without spaces, in hex."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def format_time(moment: datetime) -> str:
    """A time as `2027-01-01T00:00:00Z`."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def read_time(text: str, place: str) -> datetime:
    """The time that a text of the form `2027-01-01T00:00:00Z` names.

    Raises:
        TermsError: it has another form, or is no time.
    """
    try:
        if _TIME.match(text):
            return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise TermsError(place, f"expected a time in UTC such as 2027-01-01T00:00:00Z, got {text[:40]!r}")


def _service(name: str, place: str) -> str:
    kind = service_type(name)
    if kind is None:
        raise TermsError(place, f"expected a service type such as image, got {name!r}")
    if kind == "identity":
        raise TermsError(place, "identity is never shared: each cloud's users are its own")
    return kind


def _rule(rule: Mapping[str, str], place: str) -> Rule:
    kind, method, path = _service(rule["service"], f"{place}.service"), rule["method"].upper(), rule["path"]
    if method not in METHODS:
        raise TermsError(f"{place}.method", f"expected one of {', '.join(METHODS)}, got {rule['method']!r}")
    if not is_pattern(path):
        raise TermsError(f"{place}.path", f"expected a path such as /v2/images/**, got {path[:256]!r}")
    return Rule(kind, method, path)


def _price(price: Mapping[str, str], place: str) -> Price:
    if not _AMOUNT.match(price["amount"]):
        raise TermsError(f"{place}.amount", f"expected a decimal number such as 0.012, got {price['amount'][:40]!r}")
    return Price(price["sku"], price["unit"], price["currency"], price["amount"])
