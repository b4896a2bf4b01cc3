"""Removes what a project has in this cloud's services: one pass over all kinds of resources, to be repeated until nothing is left.

A pass lists afresh, so it needs no memory of an earlier one, and one that was killed is simply done again. It waits for nothing: a server that is
being deleted holds its port until the next pass. Lists are of the project's own resources (`resource_kinds.is_of`).
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from openstackoid.core.services import service_type
from openstackoid.regions import listing
from openstackoid.regions.errors import ServiceFailedError
from openstackoid.regions.objects import resource_kinds
from openstackoid.regions.objects.resource_kinds import KINDS, ResourceKind
from openstackoid.regions.objects.work import Left
from openstackoid.regions.service_account import ServiceAccount, refusal

_CONFLICT: Final = 409
_GONE: Final = frozenset({404, 410})
# The service has no such list: an extension that is not loaded, or a policy that leaves it to admins, who alone can have made any.
_NO_LIST: Final = frozenset({300, 403, 404, 405, 501})
_FORBIDDEN: Final = 403
# Services in which a role beside `member` can make what a member may not list (barbican's `creator`, with its older policies).
_OF_OTHER_ROLES: Final = frozenset({"key-manager"})
_DELETING: Final = "is being deleted"


@dataclass(slots=True)
class Pass:
    """What a pass came to.

    Attributes:
        removed: how many resources a service has removed, or has begun to.
        left: those that are still there, with the reason.
        unseen: kinds that members may have made, and that the account may not list: nobody knows whether any are there.
    """

    removed: int = 0
    left: list[Left] = field(default_factory=list)
    unseen: list[Left] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Place:
    """A list of one service at one address."""

    kind: ResourceKind
    base: str
    project: str

    def url(self, path: str) -> str:
        return self.base + path.format(project=self.project)


class Cleaner:
    """The resources of one project.

    Args:
        member: an account that is a member of it.
        project: id.
    """

    def __init__(self, member: ServiceAccount, project: str) -> None:
        self._member = member
        self._project = project
        self._unseen: list[Left] = []

    async def inventory(self) -> list[Left]:
        """What is there.

        Raises:
            AccountRefusedError, ServiceFailedError: the account is refused, or a service does not list.
        """
        return [self._left(place, item, "") async for place in self._places() for item in await self._items(place)]

    async def clean(self) -> Pass:
        """One pass.

        Raises:
            AccountRefusedError, ServiceFailedError: the account is refused, or a service does not list.
        """
        done = Pass()
        self._unseen = done.unseen
        async for place in self._places():
            seen: set[str] = set()
            # Once more, until nothing new is in it: some lists show less than all.
            while items := [
                item for item in await self._items(place) if resource_kinds.identity(place.kind, item) not in seen
            ]:
                for item in items:
                    seen.add(resource_kinds.identity(place.kind, item))
                    await self._remove(place, item, done)
        return done

    async def _remove(self, place: _Place, item: Mapping[str, Any], done: Pass) -> None:
        if resource_kinds.is_going(place.kind, item):
            done.left.append(self._left(place, item, _DELETING))
            return
        try:
            status, answer = await self._delete(place, item)
        except ServiceFailedError as error:
            done.left.append(self._left(place, item, str(error)))
            return
        if status < 300:  # noqa: PLR2004 - any success
            done.removed += 1
            if place.kind.slow:
                done.left.append(self._left(place, item, _DELETING))
        elif status not in _GONE:
            done.left.append(self._left(place, item, refusal(status, answer)))

    async def _delete(self, place: _Place, item: Mapping[str, Any]) -> tuple[int, Any]:
        kind = place.kind
        if kind.before == "router":
            await self._empty_router(place, item)
        if kind.before == "image" and item.get("protected"):
            await self._unprotect(place, item)
        if kind.service == "object-store":
            await self._empty_container(place, item)
        identity = segment(resource_kinds.identity(kind, item))
        path = kind.delete or f"{kind.path.partition('?')[0].rstrip('/')}/{{id}}"
        named = {"id": identity, "name": quote(str(item.get("stack_name", "")), safe=""), "project": self._project}
        url = place.base + path.format(**named)
        status, answer = await self._member.call("DELETE", url)
        if status == _CONFLICT and kind.before == "server":  # locked by its user: another member may unlock it
            await self._member.call("POST", f"{url}/action", {"unlock": None})
            status, answer = await self._member.call("DELETE", url)
        return status, answer

    async def _empty_router(self, place: _Place, router: Mapping[str, Any]) -> None:
        """A router with interfaces or routes cannot be deleted."""
        url = place.url(f"/routers/{quote(str(router['id']), safe='')}")
        if router.get("routes"):
            await self._member.call("PUT", url, {"router": {"routes": []}})
        ports = place.url(f"/ports?device_id={quote(str(router['id']))}")
        _, answer = await self._member.call("GET", ports)
        for port in answer.get("ports", []) if isinstance(answer, dict) else []:
            await self._member.call("PUT", f"{url}/remove_router_interface", {"port_id": port["id"]})

    async def _unprotect(self, place: _Place, image: Mapping[str, Any]) -> None:
        patch = [{"op": "replace", "path": "/protected", "value": False}]
        headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        await self._member.call("PATCH", place.url(f"/images/{quote(str(image['id']), safe='')}"), patch, headers)

    async def _empty_container(self, place: _Place, container: Mapping[str, Any]) -> None:
        """A container with objects cannot be deleted."""
        url = f"{place.base}/{segment(str(container['name']))}"
        _, _, objects = await listing.whole(self._member, f"{url}?format=json", "")
        for item in objects:
            name = "/".join(segment(part) for part in str(item.get("name", "")).split("/"))
            if name:
                await self._member.call("DELETE", f"{url}/{name}")

    async def _places(self) -> AsyncIterator[_Place]:
        catalog = (await self._member.described()).get("catalog") or []
        urls: dict[str, dict[str, None]] = {}
        for service in catalog:
            official = service_type(str(service.get("type")))
            for endpoint in service.get("endpoints", []):
                if official and endpoint.get("interface") == "public":
                    urls.setdefault(official, {})[str(endpoint.get("url"))] = None
        for kind in KINDS:
            for base in dict.fromkeys(resource_kinds.base(url, kind) for url in urls.get(kind.service, {})):
                yield _Place(kind, base, self._project)

    async def _items(self, place: _Place) -> list[Mapping[str, Any]]:
        kind = place.kind
        joined = "&" if "?" in kind.path else "?"
        query = f"{joined}{kind.own}={quote(self._project)}" if kind.own else ""
        status, answer, items = await listing.whole(self._member, place.url(kind.path) + query, kind.key)
        if status in _NO_LIST:
            if status == _FORBIDDEN and kind.service in _OF_OTHER_ROLES:
                why = (
                    f"the account may not list these, so any that users made are still there: {refusal(status, answer)}"
                )
                self._unseen.append(Left(kind.service, kind.key or kind.name, "", "", why[:255]))
            return []
        page = answer if isinstance(answer, list) else answer.get(kind.key) if isinstance(answer, dict) else None
        if status >= 300 or not isinstance(page, list):  # noqa: PLR2004 - any success
            if status == 204:  # noqa: PLR2004 - object-store: an empty list
                return items
            raise ServiceFailedError(f"{kind.service} does not list {kind.path}: {refusal(status, answer)}.")
        return [item for item in items if resource_kinds.is_of(kind, item, self._project)]

    @staticmethod
    def _left(place: _Place, item: Mapping[str, Any], reason: str) -> Left:
        kind = place.kind
        name = str(item.get("name") or item.get("stack_name") or "")[:255]
        return Left(kind.service, kind.key or kind.name, resource_kinds.identity(kind, item)[:255], name, reason[:255])


def segment(name: str) -> str:
    """A name that users choose, as one segment of a path: never one of dots, by which a URL leads to another place."""
    return name.replace(".", "%2E") if name in {".", ".."} else quote(name, safe="")
