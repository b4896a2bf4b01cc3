"""Makes one replica of resources that several clouds have already, after they were compared."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any, Final

from openstackoid.core.errors import BadRequestError, ReplicaDiffersError, ReplicaRefusedError, UnknownCloudError
from openstackoid.core.plans import Known
from openstackoid.core.replication import KINDS, Kind
from openstackoid.core.replication.comparing import differing
from openstackoid.core.replication.last_write import model
from openstackoid.gateway.replicas.asking import Asker
from openstackoid.gateway.replicas.registry import Replica
from openstackoid.gateway.replicas.repair import members_shown
from openstackoid.gateway.replicas.running import Runner

_LEAST: Final = 2
_LONGEST: Final = 255  # characters of an id


async def adopt(runner: Runner, known: Known, body: Any, caller: str, asker: Asker) -> Replica:
    """Put a replica of existing resources on record.

    Args:
        runner: of operations.
        known: the clouds.
        body: {"kind": NAME, "members": {CLOUD: ID, ...}}, and "differing": true if the next repair may make them alike.
        caller: PROJECT/USER.
        asker: asks the clouds on behalf of the user.

    Raises:
        BadRequestError, UnknownCloudError: the body is malformed, or names a cloud that is no peer.
        ReplicaRefusedError: a cloud does not show its resource, or it is a member of another replica.
        ReplicaDiffersError: they are not alike.
    """
    given = body if isinstance(body, dict) else {}
    kind, members = _kind(given.get("kind")), _members(given.get("members"), known)
    project = caller.partition("/")[0]
    replica = Replica(secrets.token_hex(16), kind.name, project, time.time(), members, adopted=True)
    for other in await asyncio.to_thread(runner.registry.having, kind.name, members.values()):
        taken = [cloud for cloud, name in members.items() if other.members.get(cloud) == name]
        if taken and other.owner == project:
            raise ReplicaRefusedError(f"That of {taken[0]} is a member of the replica {other.id} already.")
    shown = await members_shown(runner, known.entry, replica, caller, asker)
    there = {cloud: one for cloud, one in shown.items() if isinstance(one, dict)}
    lacking = [f"{cloud} ({one})" for cloud, one in shown.items() if not isinstance(one, dict)]
    if lacking:
        raise ReplicaRefusedError(f"Expected a {kind.name} in each cloud, and not in {', '.join(lacking)}.")
    _compare(kind, there, model(there, known.entry, None)[0], may_differ=given.get("differing") is True)
    await asyncio.to_thread(runner.registry.add, replica)
    return replica


def _compare(kind: Kind, there: Mapping[str, Mapping[str, Any]], model: str, *, may_differ: bool) -> None:
    reasons = []
    for cloud, one in there.items():
        changed, fixed = differing(kind, there[model], one)
        fields = fixed if may_differ else [*changed, *fixed]
        if fields:
            reasons.append(f"{cloud} and {model}: {', '.join(fields)}")
    if reasons:
        raise ReplicaDiffersError(f"Expected the same {kind.name} in each cloud. They differ in {'; '.join(reasons)}.")


def _kind(name: Any) -> Kind:
    chosen = [kind for kind in KINDS if name in {kind.name, kind.name.partition(".")[2]}]
    if len(chosen) != 1:
        names = ", ".join(kind.name.partition(".")[2] for kind in KINDS)
        raise BadRequestError(f"Expected one of {names} at kind.")
    return chosen[0]


def _members(given: Any, known: Known) -> dict[str, str]:
    if not isinstance(given, dict) or not _LEAST <= len(given) <= known.most:
        raise BadRequestError("Expected the ids of resources in two clouds or more at members.")
    for cloud, name in given.items():
        if cloud not in known.clouds:
            raise UnknownCloudError(f"Expected one of {known.names}, got {str(cloud)[:64]!r}.")
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST or not name.isprintable():
            raise BadRequestError(f"Expected the id of a resource at members.{cloud}.")
    return dict(sorted(given.items()))
