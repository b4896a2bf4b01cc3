"""Requests of a watch to a cloud: list all resources, or get one. All functions block; run them in the threads of calls.

Lists and single gets return the cloud's JSON unchanged, so that their results can be compared with each other.
"""

import functools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from openstack import exceptions

from oaktree.v1.location_pb2 import Location
from oaktree.v1.resource_pb2 import Resource
from openstackoid.oaktree import answers, errors
from openstackoid.oaktree.cache.answers import Cache
from openstackoid.oaktree.cache.keys import Key
from openstackoid.oaktree.names import fits
from openstackoid.oaktree.resources import filters, single
from openstackoid.oaktree.resources.kinds import Kind, Raw
from openstackoid.oaktree.resources.recording import as_raw, recorded, recording
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.oaktree.watches.states import State, state

States = Mapping[str, State]
# The location, and the JSON of each resource.
Found = tuple[Location, Iterable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Subject:
    """The subject of a poll, shared by its watchers: the resources of one kind in one cloud-region that one user can see."""

    region: Region
    kind: Kind
    parents: Mapping[str, str]

    @property
    def key(self) -> tuple[Any, ...]:
        """The key of the poll: subjects with equal keys can share answers."""
        return self.region.identity, self.kind.name, *sorted(self.parents.items())

    def located(self, error: BaseException) -> BaseException:
        """Wrap an error with this cloud-region and service."""
        return self.region.located(error, self.kind.service)

    @property
    def listable(self) -> bool:
        """Whether the kind can be listed."""
        return bool(self.kind.cls.allow_list)

    @property
    def gettable(self) -> bool:
        """Whether a resource can be fetched by its id."""
        return bool(self.kind.cls.allow_fetch)


@dataclass(frozen=True)
class Answer:
    """A cloud's answer, and its age: seconds since the request was sent."""

    states: dict[str, State]
    age: float

    def with_states(self, states: Mapping[str, State]) -> "Answer":
        """A copy of the answer with these states added."""
        return Answer({**self.states, **states}, self.age)


@dataclass(frozen=True)
class Asker:
    """Sends the requests: for all workers together if they share a Redis, else for this process.

    Attributes:
        cache: the cache that the workers share; None if they share none.
        max_age: the maximum age, in seconds, of an answer of another worker that is used.
    """

    cache: Cache | None
    max_age: float

    def listed(self, subject: Subject, before: States) -> Answer:
        """List all resources, by id. An unchanged resource keeps the State object of `before`."""
        return self._answer(subject, "", before, lambda: _listed(subject))

    def got(self, subject: Subject, name: str, before: States) -> Answer:
        """Get the resource with this id; the answer has no state if there is none."""
        return self._answer(subject, name, before, functools.partial(_got, subject, name))

    def _answer(self, subject: Subject, name: str, before: States, ask: Callable[[], Found]) -> Answer:
        if self.cache is None:
            asked_at = time.time()
            place, raws = ask()
        else:
            question = orjson.dumps(["watch", name, sorted(subject.parents.items())])
            key = Key(subject.region.identity, subject.kind.name, question)
            answer = self.cache.get(key, lambda: _packed(*ask()), max_age=self.max_age)
            asked_at = answer.asked_at
            place, raws = _unpacked(answer.value)
        identity = subject.region.identity
        states = (state(subject.kind, identity, place, raw, asked=name) for raw in raws)
        return Answer({current.id: _same(current, before) for current in states}, max(0.0, time.time() - asked_at))


def _packed(place: Location, raws: Iterable[Mapping[str, Any]]) -> bytes:
    return orjson.dumps([{listfield.name: value for listfield, value in place.ListFields()}, list(raws)])


def _unpacked(packed: bytes) -> Found:
    place, raws = orjson.loads(packed)
    return Location(**place), raws


def _listed(subject: Subject, **filters: str) -> Found:
    path = {"base_path": subject.kind.list_path} if subject.kind.list_path else {}
    place = subject.region.place()
    options: dict[str, Any] = {**path, **subject.parents, **filters}
    resources = subject.kind.raw.list(_proxy(subject), **options)
    return place, (cast("Raw", raw).json for raw in resources)


def _got(subject: Subject, name: str) -> Found:
    raw = _by_id(subject, name)
    return subject.region.place(), [] if raw is None else [raw]


def one(subject: Subject, name: str, before: States, *, named_too: bool) -> State | None:
    """Find a resource by id, or by name. Returns None if there is none.

    Args:
        subject: the kind and the cloud-region.
        name: id or name.
        before: the known states, by id.
        named_too: search by name as well.

    Raises:
        errors.AmbiguousError: several have the name.
    """
    # For a name in place of an id, some services answer 400, or 403 for a resource that the caller
    # may not see, whether it exists or not.
    if (raw := _by_id(subject, name, exceptions.BadRequestException, exceptions.ForbiddenException)) is not None:
        state_ = state(subject.kind, subject.region.identity, subject.region.place(), raw, asked=name)
        return _same(state_, before)
    if not (named_too and subject.listable):
        return None
    place, raws = _listed(subject, **filters.named(subject.kind, name))
    states = [state(subject.kind, subject.region.identity, place, raw) for raw in raws]
    return named(subject, name, {current.id: _same(current, before) for current in states})


def named(subject: Subject, name: str, states: States) -> State | None:
    """Find a resource by id or name among the states. Returns None if there is none.

    Raises:
        errors.AmbiguousError: several have the name.
    """
    if name in states:
        return states[name]
    matches = [current for current in states.values() if current.name == name]
    if len(matches) > 1:
        place = "/".join(filter(None, subject.region.key))
        raise errors.AmbiguousError(f"{place} has several of {subject.kind.name} {name!r}: give an id.")
    return matches[0] if matches else None


def _same(new: State, before: States) -> State:
    old = before.get(new.id)
    return old if old is not None and old.raw == new.raw else new


def _by_id(subject: Subject, name: str, *also: type[exceptions.HttpException]) -> dict[str, Any] | None:
    kind, region = subject.kind, subject.region
    if not subject.gettable or not fits(name):
        return None
    if subject.listable:
        return _fetched(subject, name, also)
    # Quotas and similar kinds: openstacksdk has special methods to get them.
    want = single.Wanted(kind, kind.codec(Resource), [region], name, subject.parents)
    match = single.look(want, region)
    return None if match is None else as_raw(match.resource)


def _fetched(subject: Subject, name: str, also: tuple[type[exceptions.HttpException], ...]) -> dict[str, Any] | None:
    """Get the JSON of a resource by id. Returns None if its service answers that it does not exist, or with a status in `also`."""
    wanted: Any = recording(subject.kind.cls).existing(id=name, connection=subject.region.connect(), **subject.parents)
    try:
        wanted.fetch(_proxy(subject), **subject.parents)
    except exceptions.HttpException as error:
        if not (answers.absent(error) or isinstance(error, also)):
            raise
        return None
    resource = recorded(wanted)
    return as_raw(wanted) if resource is None else {**resource, **subject.parents}


def _proxy(subject: Subject) -> Any:
    return subject.kind.proxy(subject.region.connect())
