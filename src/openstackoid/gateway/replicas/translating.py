"""What a request names by id, in each cloud: members of replicas, or, on request, resources of the same name. Asks before anything is changed."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from openstackoid.core.errors import UnknownReferenceError
from openstackoid.core.plans import Target
from openstackoid.core.replication import Kind, kind_named
from openstackoid.core.replication.references import Named, body_of, references, replaced
from openstackoid.core.scope import Name
from openstackoid.gateway.fanout.wishes import MATCH
from openstackoid.gateway.replicas.asking import Asker, parsed
from openstackoid.gateway.replicas.registry import Registry, Replica, counting

# Where the list of a kind is, for a request to another service than the call's own.
LISTS: Final[Mapping[str, str]] = {
    "image.image": "/v2/images",
    "compute.flavor": "/v2.1/flavors",
    "compute.keypair": "/v2.1/os-keypairs",
    "compute.server": "/v2.1/servers",
    "block-storage.volume": "/v3/volumes",
    **{
        f"network.{item}": f"/v2.0/{item}s"
        for item in ("network", "subnet", "port", "router", "security-group", "security-group-rule")
    },
}
_LIST_KEY: Final = {"image.image": "images"}


class Translator:
    """Puts each cloud's own members into a request's document.

    Args:
        registry: of replicas.
        asker: asks clouds on behalf of the user.
        project: the user's.
        by_name: whether resources of the same name may stand for each other.
    """

    def __init__(self, registry: Registry, asker: Asker, project: str, *, by_name: bool) -> None:
        self._registry = registry
        self._asker = asker
        self._project = project
        self._by_name = by_name

    async def documents(self, kind: Kind, document: Any, targets: Sequence[Target]) -> list[Any]:
        """The document for each target.

        Args:
            kind: of the resource that the document is about.
            document: as the client sent it.
            targets: the clouds.

        Raises:
            UnknownReferenceError: a resource that the request names is not in each cloud; names cloud and resource.
            OpenStackoidError: a cloud does not answer.
        """
        members: list[dict[Named, str]] = [{} for _ in targets]
        for named in references(kind, document):
            member_ids = await self._in_each(named, targets)
            for cloud, resource_id in zip(members, member_ids, strict=True):
                cloud[named] = resource_id
        return [replaced(kind, document, inside) for inside in members]

    async def _in_each(self, named: Named, targets: Sequence[Target]) -> list[str]:
        """The id in each target's scope of a resource that the request names."""
        kind, value = kind_named(named[0]), named[1]
        clouds = [_cloud_of(target, kind.service) for target in targets]
        replicas = await asyncio.to_thread(self._registry.having, kind.name, [value])
        chosen = _best(counting(replicas, self._project), clouds, self._project)
        if chosen is not None:
            missing = [cloud for cloud in clouds if cloud not in chosen.members]
            if missing:
                raise UnknownReferenceError(
                    f"{kind.name} {value} is in {', '.join(chosen.members)}, and not in {', '.join(sorted(set(missing)))}. "
                    "Create it there, or name fewer clouds in the scope."
                )
            return [chosen.members[cloud] for cloud in clouds]
        if len(set(clouds)) == 1:
            return [value] * len(
                targets
            )  # all use the same one: of the one cloud that the scope names for this service
        if not self._by_name:
            raise UnknownReferenceError(
                f"{kind.name} {value} is no replica in {', '.join(sorted(set(clouds)))}. Create it under the same scope, "
                f"or send {MATCH}: name (--os-scope-match name), which takes the one of the same name in each cloud."
            )
        return await self._same_name(kind, value, targets, clouds)

    async def _same_name(self, kind: Kind, value: str, targets: Sequence[Target], clouds: Sequence[str]) -> list[str]:
        lists = await asyncio.gather(*(self._list(kind, target) for target in targets))
        having = [item for items in lists for item in items if value in {item.get("id"), item.get("name")}]
        names = {str(item.get("name")) for item in having}
        if len(names) != 1:
            what = "no cloud has it" if not names else f"it has several names: {', '.join(sorted(names))}"
            raise UnknownReferenceError(f"Expected one {kind.name} {value} in {', '.join(clouds)}: {what}.")
        name, matching = names.pop(), []
        for cloud, items in zip(clouds, lists, strict=True):
            ids = [str(item[kind.id]) for item in items if item.get("name") == name and kind.id in item]
            if len(ids) != 1:
                raise UnknownReferenceError(
                    f"Expected one {kind.name} named {name} in {cloud}, got {len(ids)}. Name it there, or another cloud in the scope."
                )
            matching.append(ids[0])
        return matching

    async def _list(self, kind: Kind, target: Target) -> list[dict[str, Any]]:
        path = LISTS[kind.name]
        reply = await self._asker.send(target, "GET", f"{path}?limit=1000", service=kind.service)
        document = parsed(reply)
        items = (
            document.get(_LIST_KEY.get(kind.name, kind.items)) if reply.good and isinstance(document, dict) else None
        )
        if not isinstance(items, list):
            raise UnknownReferenceError(
                f"{target.cloud} answered {reply.status} about its {kind.name} list, expected 200."
            )
        inner = [
            body_of(kind, item) if kind.item and kind.item in item else item for item in items if isinstance(item, dict)
        ]
        return [item for item in inner if isinstance(item, dict)]


def _cloud_of(target: Target, service: str) -> str:
    expression = target.scope.get(service)
    return expression.cloud if isinstance(expression, Name) else target.cloud


def _best(replicas: Sequence[Replica], clouds: Sequence[str], project: str) -> Replica | None:
    """The replica with members in the most of these clouds, of several one of the project, the newest of them: a name may have been used before."""
    return max(
        replicas,
        key=lambda one: (len(set(clouds) & set(one.members)), one.owner == project, one.created_at),
        default=None,
    )


def path_of(collection: str, resource_id: str) -> str:
    """The path of one resource."""
    return f"{collection}/{quote(resource_id, safe='')}"
