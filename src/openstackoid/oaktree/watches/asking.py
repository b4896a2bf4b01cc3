"""What a watch asks a cloud: a list, or one resource. All of it blocks, and runs in the threads of calls.

A list and a single answer give the JSON as it came, so that one can be compared with the other.
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
# Where it is, and the JSON of each.
Found = tuple[Location, Iterable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Subject:
    """What is asked for, once for all who watch it: resources of one kind in one cloud-region, as one user sees them."""

    region: Region
    kind: Kind
    parents: Mapping[str, str]

    @property
    def key(self) -> tuple[Any, ...]:
        """The same for all who can share answers."""
        return self.region.identity, self.kind.name, *sorted(self.parents.items())

    def located(self, error: BaseException) -> BaseException:
        """An error there, with the place."""
        return self.region.located(error, self.kind.service)

    @property
    def listable(self) -> bool:
        """There are lists of it."""
        return bool(self.kind.cls.allow_list)

    @property
    def gettable(self) -> bool:
        """One can be asked for by its id."""
        return bool(self.kind.cls.allow_fetch)


@dataclass(frozen=True)
class Answer:
    """What a cloud answered, and how many seconds ago it was asked."""

    states: dict[str, State]
    age: float

    def with_states(self, states: Mapping[str, State]) -> "Answer":
        """The same, with these too."""
        return Answer({**self.states, **states}, self.age)


@dataclass(frozen=True)
class Asker:
    """Asks for all workers together, where they share a Redis; else for this process.

    Attributes:
        cache: what they share; None for nothing.
        max_age: the oldest answer of another worker that will do, in seconds.
    """

    cache: Cache | None
    max_age: float

    def listed(self, subject: Subject, before: States) -> Answer:
        """All of them by id; those that did not change are the very states of before."""
        return self._answer(subject, "", before, lambda: _listed(subject))

    def got(self, subject: Subject, name: str, before: States) -> Answer:
        """The one of this id, if it is there."""
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
        return Answer({each.id: _same(each, before) for each in states}, max(0.0, time.time() - asked_at))


def _packed(place: Location, raws: Iterable[Mapping[str, Any]]) -> bytes:
    return orjson.dumps([{each.name: value for each, value in place.ListFields()}, list(raws)])


def _unpacked(packed: bytes) -> Found:
    place, raws = orjson.loads(packed)
    return Location(**place), raws


def _listed(subject: Subject, **filters: str) -> Found:
    path = {"base_path": subject.kind.list_path} if subject.kind.list_path else {}
    place = subject.region.place()
    options: dict[str, Any] = {**path, **subject.parents, **filters}
    found = subject.kind.raw.list(_proxy(subject), **options)
    return place, (cast("Raw", raw).json for raw in found)


def _got(subject: Subject, name: str) -> Found:
    raw = _by_id(subject, name)
    return subject.region.place(), [] if raw is None else [raw]


def one(subject: Subject, name: str, before: States, *, named_too: bool) -> State | None:
    """The one of this id, or of this name; None if there is none.

    Args:
        subject: where.
        name: id or name.
        before: what is known.
        named_too: look for the name, too.

    Raises:
        errors.AmbiguousError: several have the name.
    """
    # Some services answer 400 for a name in the place of an id, or 403 for what may not be seen, be it there or not.
    if (raw := _by_id(subject, name, exceptions.BadRequestException, exceptions.ForbiddenException)) is not None:
        found = state(subject.kind, subject.region.identity, subject.region.place(), raw, asked=name)
        return _same(found, before)
    if not (named_too and subject.listable):
        return None
    place, raws = _listed(subject, **filters.named(subject.kind, name))
    states = [state(subject.kind, subject.region.identity, place, raw) for raw in raws]
    return named(subject, name, {each.id: _same(each, before) for each in states})


def named(subject: Subject, name: str, states: States) -> State | None:
    """The one of this id or name among them; None if there is none.

    Raises:
        errors.AmbiguousError: several have the name.
    """
    if name in states:
        return states[name]
    matches = [each for each in states.values() if each.name == name]
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
    # Quotas and their like, which openstacksdk asks for in ways of their own.
    want = single.Wanted(kind, kind.codec(Resource), [region], name, subject.parents)
    found = single.look(want, region)
    return None if found is None else as_raw(found.resource)


def _fetched(subject: Subject, name: str, also: tuple[type[exceptions.HttpException], ...]) -> dict[str, Any] | None:
    """The JSON of the one of this id; None if its service says that it is not there, or answers with one of `also`."""
    wanted: Any = recording(subject.kind.cls).existing(id=name, connection=subject.region.connect(), **subject.parents)
    try:
        wanted.fetch(_proxy(subject), **subject.parents)
    except exceptions.HttpException as error:
        if not (answers.absent(error) or isinstance(error, also)):
            raise
        return None
    found = recorded(wanted)
    return as_raw(wanted) if found is None else {**found, **subject.parents}


def _proxy(subject: Subject) -> Any:
    return subject.kind.proxy(subject.region.connect())
