"""The contracts that are in use, in the database that a control plane and the gateways share. Calls block: in a coroutine, `asyncio.to_thread`."""

import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, insert, select

from openstackoid.core.region_resources import Resources
from openstackoid.storage.databases import Database
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant
from openstackoid.trust.quota_leases import forget
from openstackoid.trust.tables import CONTRACTS, REGION_HEALTH, serialise

# Stands among the rights, if it holds: a gateway of a version that does not know it cannot read the contract, and serves nothing under it.
_PASS_THROUGH: Final = "pass_through"  # noqa: S105 - a mode


class ContractGrants:
    """The contracts in use. Calls block."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[ContractGrant]:
        """All of them, by id. One that a newer version wrote counts as none, if this one cannot read it."""
        with self._database.reading() as connection:
            return _all(connection)

    def replace(self, wanted: Callable[[], Iterable[ContractGrant]]) -> bool:
        """Write the contracts in use; returns whether anything changed. Several processes may do so at once.

        Args:
            wanted: gives all of them as they are now. It is called again under the lock, so that no process writes what another one knows to be old.
        """
        if self.all() == _sorted(wanted()):
            return False
        with self._database.changing() as connection:
            serialise(connection)
            before, after = {grant.id: grant for grant in _all(connection)}, {grant.id: grant for grant in wanted()}
            for identity in before.keys() - after.keys():
                connection.execute(delete(CONTRACTS).where(CONTRACTS.c.contract == identity))
                forget(connection, identity)
                connection.execute(delete(REGION_HEALTH).where(REGION_HEALTH.c.contract == identity))
            for identity, grant in after.items():
                if before.get(identity) != grant:
                    connection.execute(delete(CONTRACTS).where(CONTRACTS.c.contract == identity))
                    connection.execute(insert(CONTRACTS).values(_values(grant)))
        return True


def _sorted(grants: Iterable[ContractGrant]) -> list[ContractGrant]:
    return sorted(grants, key=lambda grant: grant.id)


def _all(connection: Connection) -> list[ContractGrant]:
    rows = connection.execute(select(CONTRACTS).order_by(CONTRACTS.c.contract)).mappings().all()
    return [grant for row in rows if (grant := _grant(row)) is not None]


def _grant(row: RowMapping) -> ContractGrant | None:
    try:
        side, state = ContractSide(row["side"]), GrantState(row["state"])
        allowed = json.loads(row["allowed"])
        pass_through = bool(allowed.pop(_PASS_THROUGH, False))
        grant = Grant.model_validate(allowed)
    except ValueError:  # pydantic's errors are ValueErrors
        return None
    resources = Resources.from_json(json.loads(row["resources"] or "{}"))
    quota = json.loads(row["quota"] or "{}")
    return ContractGrant(
        row["contract"], row["peer"], side, state, grant, row["region"], resources, quota, pass_through
    )


def _values(grant: ContractGrant) -> dict[str, Any]:
    given = grant.grant.model_dump(mode="json") | ({_PASS_THROUGH: True} if grant.pass_through else {})
    allowed = json.dumps(given, sort_keys=True, separators=(",", ":"))
    values = {"contract": grant.id, "peer": grant.peer, "side": grant.side.value, "state": grant.state.value}
    resources = json.dumps(grant.resources.to_json(), separators=(",", ":"))
    quota = json.dumps(dict(grant.quota), sort_keys=True, separators=(",", ":"))
    return values | {"region": grant.region, "allowed": allowed, "resources": resources, "quota": quota}
