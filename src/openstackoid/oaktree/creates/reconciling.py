"""Finds a resource whose create request was sent, but whose response was lost.

If the API can store a value of the client in the create request, the resource carries a mark:

    server, volume, snapshot     metadata `oaktree_operation`: the operation's id, a dot, the part's number (and the number of the try, after a failed one)
    load balancer                the same value in a tag, `oaktree_operation=...`
    image                        its id, which the client may choose: derived from the same value; not if a cloud makes it by a task (BY_TASK)

For other kinds, resources that look like the new one are listed before the create is sent. A resource that exists afterwards, did not exist before, and was
not created by another recorded operation, is the new one if it is the only candidate. With several candidates, the outcome is unknown: nothing is guessed.

A resource looks like the new one if it has the same name, the same parent, and the same ids of other resources. Blocking functions run in a thread of
the call.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import keystoneauth1.exceptions as keystone
import openstack.exceptions as sdk
import requests
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from openstackoid.oaktree import answers, errors
from openstackoid.oaktree.plain import behind
from openstackoid.oaktree.resources.filters import named
from openstackoid.oaktree.resources.kinds import Kind
from openstackoid.oaktree.upstream.regions import Region
from openstackoid.operations import marks

MARK: Final = "oaktree_operation"
# In what is recorded: the cloud chooses the image's id, so the image carries no mark. While its task may still run, nothing is conclusive but the image itself.
BY_TASK: Final = "by_task"
_METADATA: Final = frozenset({"compute.server", "block_storage.volume", "block_storage.snapshot"})
_TAGS: Final = frozenset({"load_balancer.load_balancer"})
_OWN_ID: Final = frozenset({"image.image"})
_SKEW: Final = 3600.0  # seconds by which a cloud's clock may differ from ours
_LONGEST: Final = 255
_MOST: Final = 5000  # maximum number of resources of a kind to examine
_KEPT: Final = re.compile(
    r"name|.*_id|direction|ether_?type|protocol|port_range_(min|max)|remote_ip_prefix|cidr|ip_version|type|subnet_id|mac_address"
)
_NEVER: Final = re.compile(r"secret|token|credential|pass", re.IGNORECASE)
_BEGAN: Final = (NewConnectionError, ConnectTimeoutError, NameResolutionError)


class TooManyError(Exception):
    """There are more resources than the maximum to examine."""


@dataclass(frozen=True)
class Seen:
    """The candidates found. `surely`: no other resource can be the new one."""

    ids: tuple[str, ...]
    surely: bool


def marked(kind: Kind, attributes: Mapping[str, Any], mark: str) -> dict[str, Any]:
    """Add the mark to the attributes, if the kind can carry one."""
    copy = dict(attributes)
    if kind.name in _METADATA:
        given = copy.get("metadata")
        copy["metadata"] = {**(given if isinstance(given, Mapping) else {}), MARK: mark}
    elif kind.name in _TAGS:
        copy["tags"] = [*copy.get("tags", []), f"{MARK}={mark}"]
    elif kind.name in _OWN_ID:
        copy["id"] = marks.own_id(mark)
    return copy


def sought(kind: Kind, attributes: Mapping[str, Any], parents: Mapping[str, str], mark: str) -> dict[str, Any]:
    """The data to record for finding the resource again; contains no secret."""
    names = {attribute.wire: attribute.name for attribute in kind.attributes.all}
    kept = {}
    for given, value in attributes.items():
        name = names.get(given, given)
        if (
            _KEPT.fullmatch(name)
            and not _NEVER.search(name)
            and isinstance(value, str | int)
            and len(str(value)) <= _LONGEST
        ):
            kept[name] = value
    return {"mark": mark, "attributes": kept, "parents": dict(parents), "before": None}


def before(kind: Kind, region: Region, wanted: Mapping[str, Any]) -> list[str] | None:
    """The ids of existing resources that look like the new one; None if they are not needed, or cannot be listed. Blocks."""
    carries_mark = kind.name in _METADATA | _TAGS | _OWN_ID and not wanted.get(BY_TASK)
    if carries_mark or not kind.cls.allow_list:
        return None
    try:
        return list(_alike(kind, region, wanted))
    except (sdk.SDKException, keystone.ClientException, TooManyError):
        # The create may succeed although the list failed; then a lost response cannot be resolved.
        return None


def look(kind: Kind, region: Region, wanted: Mapping[str, Any], sent_at: float) -> Seen:
    """Find candidates for the resource whose create was sent. Blocks; raises openstacksdk's errors."""
    try:
        return _look(kind, region, wanted, sent_at)
    except TooManyError:
        return Seen((), surely=False)


def _look(kind: Kind, region: Region, wanted: Mapping[str, Any], sent_at: float) -> Seen:
    mark = wanted["mark"]
    if kind.name in _OWN_ID and not wanted.get(BY_TASK):
        return _by_id(kind, region, marks.own_id(mark))
    if kind.name in _METADATA | _TAGS:
        candidates = [
            str(resource.id) for resource in _listed(kind, region, wanted, sent_at) if _carries(resource, mark)
        ]
        return Seen(tuple(candidates), surely=True)
    if wanted["before"] is None or not kind.cls.allow_list:
        ids = tuple(_alike(kind, region, wanted)) if kind.cls.allow_list else ()
        return Seen(ids, surely=False)
    candidates = [resource_id for resource_id in _alike(kind, region, wanted) if resource_id not in wanted["before"]]
    return Seen(tuple(candidates), surely=len(candidates) == 1 or not (candidates or wanted.get(BY_TASK)))


def is_certain(error: BaseException) -> bool:
    """Whether it is certain that nothing was or will be created: the cloud refused, or was never reached."""
    number = answers.http_status(error)
    if number is not None:
        return marks.refused(number)
    if isinstance(error, errors.LeftAloneError | errors.RateError | errors.InvalidError):
        return True
    if isinstance(error, keystone.ConnectTimeout | keystone.EndpointNotFound | keystone.MissingAuthPlugin):
        return True
    return any(isinstance(cause, (*_BEGAN, requests.ConnectTimeout)) for cause in behind(error))


def has_answered(error: BaseException) -> bool:
    """Whether the service itself answered with an error, so that it no longer processes the request. A proxy's 502 or 504 does not prove that."""
    number = answers.http_status(error)
    return number is not None and marks.answered(number)


def _by_id(kind: Kind, region: Region, resource_id: str) -> Seen:
    proxy = kind.proxy(region.connect())
    try:
        kind.cls.existing(id=resource_id, connection=region.connect()).fetch(proxy)
    except sdk.HttpException as error:
        if not answers.absent(error):
            raise
        return Seen((), surely=True)
    return Seen((resource_id,), surely=True)


def _carries(raw: Any, mark: str) -> bool:
    metadata = raw.get("metadata") or {}
    return metadata.get(MARK) == mark or f"{MARK}={mark}" in (raw.get("tags") or [])


def _alike(kind: Kind, region: Region, wanted: Mapping[str, Any]) -> Iterator[str]:
    for raw in _listed(kind, region, wanted, None):
        if all(_same(raw.get(name), value) for name, value in wanted["attributes"].items()):
            yield str(raw.id)


def _same(actual: Any, wanted: Any) -> bool:
    # An attribute that lists leave out proves nothing; some services return a resource where the request had its id.
    if actual is None:
        return True
    if isinstance(actual, Mapping):
        return str(wanted) in {str(actual.get(key)) for key in ("id", "name")}
    # A DNS zone's name may be returned in lower case.
    return str(actual).casefold() == str(wanted).casefold()


def _listed(kind: Kind, region: Region, wanted: Mapping[str, Any], since: float | None) -> Iterable[Any]:
    proxy = kind.proxy(region.connect())
    params: dict[str, Any] = dict(wanted["parents"])
    if name := wanted["attributes"].get("name"):
        params |= named(kind, str(name))
    if kind.list_path:
        params["base_path"] = kind.list_path
    if since is not None and kind.name == "compute.server":
        params["changes_since"] = _iso(since - _SKEW)
    for count, raw in enumerate(kind.raw.list(proxy, **params)):
        if count >= _MOST:
            raise TooManyError
        yield raw


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(wanted: Mapping[str, Any]) -> str:
    """A description of the resource to look for, for error messages."""
    return json.dumps(wanted["attributes"], sort_keys=True)
