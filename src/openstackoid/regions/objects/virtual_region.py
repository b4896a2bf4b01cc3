"""A virtual region: a part of a provider's cloud, which its operators define, offer and withdraw. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openstackoid.regions.errors import DocumentError, TransitionError
from openstackoid.regions.objects.chain import check_resold
from openstackoid.regions.objects.states import REGION, RegionEvent, RegionState, events, find
from openstackoid.regions.objects.terms import read_quota, read_rules, read_services
from openstackoid.trust.rules import Rule


@dataclass(frozen=True, slots=True)
class VirtualRegion:
    """What a provider's operators say of a virtual region.

    Attributes:
        id: 32 hex digits.
        name: unique among the provider's regions.
        description: for people.
        domain_id: the domain that holds its projects.
        services: service types of which everything is allowed.
        rules: what is allowed beside these.
        resources: `flavors`, `images`, `external_networks` by id, `zones` by name: what of the cloud is in the region; `region`: the name of a
            region that this cloud has from another one, and of which this is a part (`chain`).
        quota: over all its projects, by the names of `terms.QUOTAS`.
        metadata: what the region is like (`schemas.metadata`).
        state: where it stands.
        version: grows with every change.
        offered_to: names of the peers that see it; empty for all.
        created_at, updated_at: UTC, as `terms.format_time` writes it.
    """

    id: str
    name: str
    domain_id: str
    created_at: str
    updated_at: str
    description: str = ""
    services: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    quota: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    state: RegionState = RegionState.DRAFT
    version: int = 1
    offered_to: tuple[str, ...] = ()

    @classmethod
    def create(cls, identity: str, document: Mapping[str, Any], now: str) -> "VirtualRegion":
        """A new one, of a document whose form a schema has checked.

        Raises:
            TermsError: a service, a rule or a quota cannot be.
        """
        return _written(cls(identity, document["name"], document["domain_id"], now, now), document)

    def change(self, document: Mapping[str, Any], now: str) -> "VirtualRegion":
        """The next version; what the document does not name stays.

        Raises:
            TransitionError: it is retired.
            TermsError: a service, a rule or a quota cannot be.
        """
        changed = self.cause(RegionEvent.CHANGE, now)
        return replace(_written(changed, document), version=self.version + 1)

    def cause(self, event: RegionEvent, now: str, offered_to: tuple[str, ...] = ()) -> "VirtualRegion":
        """The region after an event of the table.

        Raises:
            TransitionError: its state does not allow it.
        """
        row = find(REGION, self.state, event)
        if row is None:
            allowed = ", ".join(events(REGION, self.state)) or "nothing any more"
            raise TransitionError(f"The virtual region {self.name} is {self.state}: expected {allowed}, got {event}.")
        seen_by = offered_to if event is RegionEvent.OFFER else self.offered_to
        return replace(self, state=RegionState(row.next), updated_at=now, offered_to=seen_by)

    def is_offered_to(self, peer: str) -> bool:
        """Whether a peer sees it among the offers."""
        return self.state is RegionState.OFFERED and (not self.offered_to or peer in self.offered_to)

    def offer(self) -> dict[str, Any]:
        """As a peer sees it: without the domain and the ids of resources."""
        return {
            "virtual_region": self.id,
            "version": self.version,
            "name": self.name,
            "description": self.description,
            "services": list(self.services),
            "rules": _rules(self.rules),
            "quota": dict(self.quota),
            "metadata": dict(self.metadata),
            "offered_at": self.updated_at,
        }

    def to_json(self) -> dict[str, Any]:
        """As its operators see it."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "domain_id": self.domain_id,
            "services": list(self.services),
            "rules": _rules(self.rules),
            "resources": dict(self.resources),
            "quota": dict(self.quota),
            "metadata": dict(self.metadata),
            "state": self.state.value,
            "version": self.version,
            "offered_to": list(self.offered_to),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "VirtualRegion":
        """Read what `to_json` wrote."""
        region = cls.create(document["id"], document, document["created_at"])
        return replace(
            region,
            state=RegionState(document["state"]),
            version=document["version"],
            offered_to=tuple(document["offered_to"]),
            updated_at=document["updated_at"],
        )


def _written(region: VirtualRegion, document: Mapping[str, Any]) -> VirtualRegion:
    services = read_services(document["services"]) if "services" in document else region.services
    rules = read_rules(document["rules"]) if "rules" in document else region.rules
    if not services and not rules:
        raise DocumentError("$.services", "expected a service, or rules: a region that allows nothing is none")
    quota = read_quota(document.get("quota", region.quota), {*services, *(rule.service for rule in rules)})
    check_resold(document.get("resources", region.resources), quota)
    kept = {name: document[name] for name in ("description", "domain_id", "resources", "metadata") if name in document}
    return replace(region, services=services, rules=rules, quota=quota, **kept)


def _rules(rules: tuple[Rule, ...]) -> list[dict[str, str]]:
    return [{"service": rule.service, "method": rule.method, "path": rule.path} for rule in rules]
