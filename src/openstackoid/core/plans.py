"""The plan of a request whose scope has operators: the clouds to ask, in which way, and the scope for each of them. Pure.

    scope + request + clouds that are known -> One     one cloud: as if the scope had named it
                                            -> All     several at once, one answer
                                            -> Alternatives  one after the other, until one answers and has it
                                            -> Reject  an error of `core.errors`, before anything is sent

Operators, labels and round trips are resolved to names here, at the entry cloud: each target gets a scope with one name for each service, so
no request fans out twice. In the scope of a target:

1. the requested service is of the target, and so is each service with the same expression;
2. network, placement and block storage follow compute, unless the scope names them: a server's parts are of one cloud;
3. identity is of the cloud that the scope names for it, else of the entry cloud: a token is of one cloud;
4. another expression becomes the target, if the target is among its clouds, else the first of them.

`*`, `@label` and `around()` leave out clouds whose catalog lacks the service; a cloud that the scope names is asked in any case, so that it is
reported missing.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from openstackoid.core import errors
from openstackoid.core.catalog import Cloud
from openstackoid.core.routing import READS, Facts, check_services
from openstackoid.core.scope import REST, AllClouds, AllOf, Around, Expression, FirstOf, Label, Name, Scope

MOST: Final = 1024  # clouds of one request, unless it is configured
_WITH_COMPUTE: Final = ("network", "placement", "block-storage")
# Paths of Keystone's that are about one token or its catalog: only the issuing cloud serves them.
# Version documents, and descriptions of an API: those of any cloud will do.
_SAME_EVERYWHERE: Final = re.compile(
    r"/(?:v\d{1,3}(?:\.\d{1,3})?/?)?\Z|/v2/(?:schemas|info)/|/v2(?:\.\d{1,3})?(?:/[0-9a-f]{32})?/extensions(?:\.json)?(?:/|\Z)"
)
_TOKENS: Final = ("/v3/auth", "/v2.0/tokens", "/v3/OS-FEDERATION", "/v3/OS-OAUTH", "/v3/ec2tokens", "/v3/s3tokens")


@dataclass(frozen=True, slots=True)
class Known:
    """The clouds, as the entry cloud knows them.

    Attributes:
        entry: name of this cloud.
        clouds: name -> cloud, including this one; None while a peer's catalog is unknown.
        labels: name -> labels that this cloud's operators gave a peer; they replace the labels that the peer publishes.
        round_trips: name of a peer -> milliseconds, as measured from here.
        most: clouds of one request.
    """

    entry: str
    clouds: Mapping[str, Cloud | None]
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    round_trips: Mapping[str, float] = field(default_factory=dict)
    most: int = MOST

    def labels_of(self, name: str) -> frozenset[str]:
        """The labels of a cloud."""
        cloud = self.clouds[name]
        return self.labels.get(name, cloud.labels if cloud else frozenset())

    @property
    def names(self) -> str:
        """All names, for a message, this cloud's first."""
        return ", ".join([self.entry, *sorted(self.clouds.keys() - {self.entry})])

    def serves(self, name: str, service: str) -> bool:
        """Whether a cloud may have a service; true if its catalog is unknown, and for `*`."""
        cloud = self.clouds[name]
        return cloud is None or service == REST or service in cloud.services


@dataclass(frozen=True, slots=True)
class Target:
    """One cloud of a plan, and its scope: one name for each service."""

    cloud: str
    scope: Scope

    def __hash__(self) -> int:
        """Of the cloud: a plan has each cloud once, and a scope has many parts."""
        return hash(self.cloud)


@dataclass(frozen=True, slots=True)
class One:
    """One cloud is asked."""

    target: Target


@dataclass(frozen=True, slots=True)
class All:
    """Several clouds are asked at once; in the order of their names, which decides between equal items."""

    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Alternatives, tried one after the other."""

    choices: tuple["One | All", ...]


@dataclass(frozen=True, slots=True)
class Reject:
    """Nothing is asked."""

    error: errors.OpenStackoidError


Plan: TypeAlias = One | All | Alternatives | Reject


def plan(facts: Facts, scope: Scope, known: Known) -> Plan:
    """The plan of a request.

    Args:
        facts: the request.
        scope: as it arrived.
        known: the clouds.
    """
    try:
        return _plan(facts, scope, known)
    except errors.RoutingError as error:
        return Reject(error)


def explain(facts: Facts, scope: Scope, known: Known, judge: Callable[[Target], dict[str, Any]]) -> dict[str, Any]:
    """The plan and its reasons, as JSON for people: see `docs/reference/gateway.md`.

    Args:
        facts: the request.
        scope: as it arrived.
        known: the clouds.
        judge: says of one target what `routing.explain` says of a scope without operators.
    """
    planned = plan(facts, scope, known)
    choices = (
        planned.choices if isinstance(planned, Alternatives) else () if isinstance(planned, Reject) else (planned,)
    )
    groups = [choice.targets if isinstance(choice, All) else (choice.target,) for choice in choices]
    expression = scope.get(facts.service)
    names = [" & ".join(target.cloud for target in group) for group in groups]
    why = f"{facts.service} is {expression or known.entry} in the scope, which means {' | '.join(names)} now"
    judged = [[(target, judge(target)) for target in group] for group in groups]
    refused = [one for group in judged for one in group if one[1]["error"]]
    error = planned.error if isinstance(planned, Reject) else None
    document = error.body()["error"] if error else None
    if refused and len(refused) == sum(map(len, groups)):
        if len(refused) == 1:
            document = refused[0][1]["error"]
        else:
            document = errors.IncompleteError("No cloud of the scope would serve the request.").body()["error"]
    return {
        "entry": known.entry,
        "service": facts.service,
        "method": facts.method,
        "path": facts.path,
        "scope": {kind: str(part) for kind, part in scope.entries},
        "decision": "reject" if document else type(planned).__name__.lower(),
        "cloud": " | ".join(names) or None,
        "url": None,
        "plan": [[_described(target, verdict) for target, verdict in group] for group in judged],
        "why": [str(error)] if error else [why, *_reasons(judged)],
        "error": document,
    }


def _described(target: Target, verdict: dict[str, Any]) -> dict[str, Any]:
    scope = {kind: str(part) for kind, part in target.scope.entries}
    return {"cloud": target.cloud, "scope": scope} | {key: verdict[key] for key in ("decision", "url", "error")}


def _reasons(judged: list[list[tuple[Target, dict[str, Any]]]]) -> Iterator[str]:
    """What is special about single clouds: errors with their codes, and warnings."""
    for target, verdict in (one for group in judged for one in group):
        if verdict["error"]:
            yield f"{target.cloud} would refuse: {verdict['error']['openstackoid_code']}: {verdict['error']['message']}"
        yield from (f"{target.cloud}: {reason}" for reason in verdict["why"] if reason.startswith("warning: "))


def _plan(facts: Facts, scope: Scope, known: Known) -> Plan:
    service = facts.service
    if facts.hops:
        raise errors.NotBuiltError(
            f"Operators of a scope are resolved where a request begins; {facts.hops[0]} sent one on with them. Update its gateway."
        )
    check_services(scope, known.clouds.values())
    for kind, part in scope.entries:
        _check(kind, part, known)
    resolver = _Resolver(scope, known)
    expression = scope.get(service)
    named = any(kind == "identity" for kind, _ in scope.entries)
    if service == "identity" and (not named or facts.method not in READS or facts.path.startswith(_TOKENS)):
        return One(resolver.target(service, resolver.identity))
    if expression is None or isinstance(expression, Name):
        return One(resolver.target(service, expression.cloud if expression else known.entry))
    if facts.method in READS and _SAME_EVERYWHERE.match(facts.path):
        return One(resolver.target(service, resolver.chosen(expression, service, known.entry)))
    plans = [_together(clouds, service, resolver) for clouds in resolver.alternatives(expression, service)]
    return plans[0] if len(plans) == 1 else Alternatives(tuple(plans))


def _together(clouds: tuple[str, ...], service: str, resolver: "_Resolver") -> One | All:
    most = resolver.known.most
    if len(clouds) > most:
        raise errors.WideScopeError(
            f"Expected {most} clouds in one request at most, {resolver.scope.get(service)} means {len(clouds)} now."
        )
    targets = tuple(resolver.target(service, cloud) for cloud in clouds)
    return One(targets[0]) if len(targets) == 1 else All(targets)


def _check(kind: str, expression: Expression, known: Known) -> None:
    for part in _atoms(expression):
        if isinstance(part, (Name, Around)) and part.cloud not in known.clouds:
            raise errors.UnknownCloudError(
                f"{known.entry} knows no cloud {part.cloud} (asked for {kind}). It knows: {known.names}."
            )


def _atoms(expression: Expression) -> Iterator[Expression]:
    if isinstance(expression, (AllOf, FirstOf)):
        for operand in expression.operands:
            yield from _atoms(operand)
    else:
        yield expression


class _Resolver:
    """Resolves the expressions of one scope to clouds; each expression is resolved once for all targets."""

    def __init__(self, scope: Scope, known: Known) -> None:
        self.scope = scope
        self.known = known
        self._found: dict[tuple[Expression, str], list[tuple[str, ...]]] = {}
        named = dict(scope.entries).get("identity")
        rest = scope.get("identity")
        # "*" applies to identity as well, but only if it is one name: a token is of one cloud, where users log in under this scope.
        inherited = rest.cloud if isinstance(rest, Name) else known.entry
        self.identity: str = self.chosen(named, "identity", known.entry) if named is not None else inherited

    def alternatives(self, expression: Expression, service: str) -> list[tuple[str, ...]]:
        """The groups of clouds that an expression means, in the order in which they are tried; each group is sorted by name.

        Raises:
            RoutingError: it means none.
        """
        if (expression, service) in self._found:
            return self._found[expression, service]
        groups: list[tuple[str, ...]] = []
        failure: errors.RoutingError | None = None
        for operand in expression.operands if isinstance(expression, FirstOf) else (expression,):
            try:
                group = tuple(sorted(_group(operand, service, self.known)))
            except (errors.EmptyScopeError, errors.AroundError) as error:
                failure = failure or error
                continue
            if group not in groups:
                groups.append(group)
        if failure and not groups:
            raise failure
        self._found[expression, service] = groups
        return groups

    def chosen(self, expression: Expression, service: str, cloud: str) -> str:
        """The one cloud that a target uses of an expression: the target itself if the expression means it.

        Raises:
            RoutingError: it means none.
        """
        if isinstance(expression, Name):
            return expression.cloud
        first = self.alternatives(expression, service)[0]
        return cloud if cloud in first else first[0]

    def target(self, service: str, cloud: str) -> Target:
        """A cloud with its scope.

        Raises:
            RoutingError: another service's expression means no cloud.
        """
        asked, target = self.scope.get(service), Name(cloud)
        entries: dict[str, Expression] = {}
        for kind, expression in self.scope.entries:
            entries[kind] = target if expression == asked else Name(self.chosen(expression, kind, cloud))
        entries[service] = target
        compute = self.scope.get("compute")
        if REST not in entries and compute is not None and not isinstance(compute, Name):
            for kind in _WITH_COMPUTE:
                entries.setdefault(kind, entries["compute"])
        if service != "identity":
            entries["identity"] = Name(self.identity)
        return Target(cloud, Scope.explicit_of(entries, self.known.entry))


def _group(expression: Expression, service: str, known: Known) -> set[str]:
    """The clouds that are asked together.

    Raises:
        RoutingError: a part of the expression means no cloud, or has alternatives (`|`).
    """
    match expression:
        case Name(cloud):
            return {cloud}
        case AllOf(operands):
            return {cloud for operand in operands for cloud in _group(operand, service, known)}
        case FirstOf():
            raise errors.NotBuiltError(
                f'A choice inside of & is not served: "({expression})". Write the alternatives out: (A & C) | (B & C).'
            )
        case AllClouds():
            clouds = set(known.clouds)
        case Label(label):
            clouds = {name for name in known.clouds if label in known.labels_of(name)}
        case Around(cloud, ms):
            clouds = _near(cloud, float(ms), known)
    serving = {cloud for cloud in clouds if known.serves(cloud, service)}
    if not serving:
        has = f"those that it means have no {service} service" if clouds else "it means none now"
        raise errors.EmptyScopeError(f'"{expression}" means no cloud for {service}: {has}. Known are: {known.names}.')
    return serving


def _near(cloud: str, ms: float, known: Known) -> set[str]:
    if cloud != known.entry:
        raise errors.AroundError(
            f"{known.entry} measures round trips from itself alone: around({known.entry}, ...), not around({cloud}, ...)."
        )
    return {known.entry, *(name for name, took in known.round_trips.items() if name in known.clouds and took <= ms)}
