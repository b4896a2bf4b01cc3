"""Single resources: find by id or name, update, delete. Blocking functions run in a thread of the call."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from google.protobuf.message import Message
from openstack import exceptions, resource

from openstackoid.oaktree import answers, errors
from openstackoid.oaktree.names import fits, segment
from openstackoid.oaktree.resources.codec import Codec
from openstackoid.oaktree.resources.deciding import outcomes, unique
from openstackoid.oaktree.resources.filters import named
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.resources.recording import as_raw, existing, recording
from openstackoid.oaktree.upstream.calls import Call, in_thread
from openstackoid.oaktree.upstream.regions import Region

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """The parameters of a call for one resource."""

    kind: Kind
    codec: Codec
    regions: Sequence[Region]
    id: str
    parents: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 30.0  # seconds, for each cloud


@dataclass(frozen=True)
class Found:
    """A resource, with its cloud-region."""

    region: Region
    resource: resource.Resource
    message: Message


async def find(want: Wanted, call: Call, threads: ThreadPoolExecutor) -> Found:
    """Find the resource in all cloud-regions. A globally unique id ends the search at the first match; otherwise all answers are awaited.

    Raises:
        errors.MissingError: all cloud-regions answered, and none has it.
        errors.AmbiguousError: several cloud-regions have such a resource.
        errors.LocatedError: a cloud did not answer, and no other has it: that cloud may have it.
    """
    if not want.id and not (want.kind.of_project and want.parents):
        raise errors.invalid("id", f"expected the id or the name of a {want.kind.name}")
    results = await outcomes(
        [_look(want, region, call, threads) for region in want.regions],
        lambda matches: matches is not None and matches.resource.id == want.id and unique(want.kind, want.id),
    )
    matches = [result for result in results if isinstance(result, Found)]
    if len(matches) > 1:
        places = ", ".join(sorted("/".join(filter(None, match.region.key)) for match in matches))
        raise errors.AmbiguousError(f"{want.kind.name} {want.id!r} is in {places}: give a location with one of them.")
    if matches:
        return matches[0]
    for region, result in zip(want.regions, results, strict=True):
        if isinstance(result, BaseException):
            raise region.located(result, want.kind.service)
    places = ", ".join(sorted({region.location.cloud for region in want.regions})) or "no cloud"
    raise errors.MissingError(f"{want.kind.name} {want.id!r} is not in {places}, by id or by name.")


async def update(
    want: Wanted, changes: Mapping[str, Any], call: Call, threads: ThreadPoolExecutor
) -> tuple[Region, Message]:
    """Update the resource. Returns it.

    Raises:
        errors.InvalidError: the kind does not have one of the attributes.
    """
    for name in changes:
        if name not in want.kind.attributes.by_name:
            raise errors.invalid(f"resource.{name}", f"{want.kind.name} has no such attribute")
    match = await find(want, call, threads)

    def change() -> Message:
        for name, value in changes.items():
            setattr(match.resource, name, value)
        changed = match.resource.commit(want.kind.proxy(match.region.connect()))
        return want.codec.encode(as_raw(changed), match.region.place())

    return match.region, await _there(want, match.region, call, threads, change)


async def delete(want: Wanted, call: Call, threads: ThreadPoolExecutor) -> Found:
    """Delete the resource. Returns it; the deletion may still be in progress: use `Watch` to wait for its end."""
    match = await find(want, call, threads)
    await _there(
        want, match.region, call, threads, lambda: match.resource.delete(want.kind.proxy(match.region.connect()))
    )
    return match


async def _there(want: Wanted, region: Region, call: Call, threads: ThreadPoolExecutor, change: Callable[[], T]) -> T:
    """Do something in the cloud-region where the resource was found."""
    here = call.to(*region.key, timeout=want.timeout)
    try:
        return await in_thread(here, threads, change)
    except Exception as error:
        raise region.located(error, want.kind.service) from error


async def _look(want: Wanted, region: Region, call: Call, threads: ThreadPoolExecutor) -> Found | None:
    here = call.to(*region.key, timeout=want.timeout)
    return await in_thread(here, threads, look, want, region)


def look(want: Wanted, region: Region) -> Found | None:
    """Find the resource in one cloud-region. Returns None if it does not exist. Blocks.

    Raises:
        errors.AmbiguousError: several resources have the name.
    """
    proxy = want.kind.proxy(region.connect())
    cls = recording(want.kind.cls)
    match: resource.Resource | None
    try:
        if want.kind.of_project:
            project = want.parents.get("project_id") or segment("id", want.id)
            match = cls.new(connection=region.connect(), project_id=project).fetch(proxy)
        else:
            match = _by_id(cls, proxy, region, want) or _by_name(proxy, region, want)
    except exceptions.DuplicateResource as error:
        place = "/".join(filter(None, region.key))
        raise errors.AmbiguousError(f"{place} has several of {want.kind.name} {want.id!r}: give an id.") from error
    if match is None:
        return None
    return Found(region, match, want.codec.encode(as_raw(match), region.place()))


def _by_id(cls: type[resource.Resource], proxy: Any, region: Region, want: Wanted) -> resource.Resource | None:
    if not cls.allow_fetch or not fits(want.id):
        return None
    parents: dict[str, Any] = dict(want.parents)
    wanted = cls.existing(id=want.id, connection=region.connect(), **parents)
    try:
        return wanted.fetch(proxy, **parents)
    except exceptions.BadRequestException:
        return None  # some services answer 400 for a name in place of an id
    except exceptions.ForbiddenException:
        if not cls.allow_list:
            raise
        return None
    except exceptions.HttpException as error:
        if not answers.absent(error):
            raise
        return None


def _by_name(proxy: Any, region: Region, want: Wanted) -> resource.Resource | None:
    cls = want.kind.cls
    if not cls.allow_list:
        return None
    params: dict[str, Any] = {**want.parents, **named(want.kind, want.id)}
    if want.kind.list_path:
        params["base_path"] = want.kind.list_path
    matches = [
        candidate
        for candidate in want.kind.raw.list(proxy, **params)
        if want.id in (candidate.id, candidate.get("name"))
    ]
    if len(matches) > 1:
        raise exceptions.DuplicateResource(want.id)
    if not matches:
        return None
    raw: Any = matches[0]
    return existing(cls, raw.json, region.connect())
