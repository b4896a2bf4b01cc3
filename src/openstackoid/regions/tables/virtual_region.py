"""Virtual regions in the database. Calls block: in a coroutine, `asyncio.to_thread`."""

import json
from typing import Any, Final

from sqlalchemy import Connection, func, insert, or_, select, update

from openstackoid.regions.errors import (
    ChangedError,
    RegionExistsError,
    RegionInUseError,
    UnknownRegionError,
)
from openstackoid.regions.objects.states import OVER, RegionEvent, RegionState
from openstackoid.regions.objects.virtual_region import VirtualRegion
from openstackoid.regions.tables import CONTRACTS, REGIONS, VERSIONS, serialise
from openstackoid.storage.databases import Database

_LONGEST_OPERATOR: Final = 255


class Regions:
    """The virtual regions of a provider."""

    def __init__(self, database: Database) -> None:
        """Use a database whose tables are there."""
        self._database = database

    def create(self, region: VirtualRegion, by: str) -> VirtualRegion:
        """Keep a new one.

        Args:
            region: a draft.
            by: the operator.

        Raises:
            RegionExistsError: another one that is not retired has its name.
        """
        with self._database.changing() as connection:
            serialise(connection)
            living = (REGIONS.c.name == region.name) & (REGIONS.c.state != RegionState.RETIRED.value)
            if connection.scalar(select(REGIONS.c.id).where(living)):
                raise RegionExistsError(f"There is a virtual region {region.name} already.")
            connection.execute(insert(REGIONS).values({"id": region.id, "name": region.name, **_values(region)}))
            _note(connection, region, RegionEvent.CREATE, by)
        return region

    def get(self, reference: str) -> VirtualRegion:
        """The region of an id, or of a name that is not retired.

        Raises:
            UnknownRegionError: there is none.
        """
        with self._database.reading() as connection:
            return _get(connection, reference)

    def all(self, *, retired: bool = False) -> list[VirtualRegion]:
        """All of them, by name."""
        chosen = select(REGIONS.c.document).order_by(REGIONS.c.name, REGIONS.c.id)
        if not retired:
            chosen = chosen.where(REGIONS.c.state != RegionState.RETIRED.value)
        with self._database.reading() as connection:
            return [VirtualRegion.from_json(json.loads(text)) for text in connection.scalars(chosen)]

    def change(self, reference: str, version: int, document: dict[str, Any], now: str, by: str) -> VirtualRegion:
        """Write the next version.

        Args:
            reference: id or name.
            version: that the operator has seen.
            document: what is new, in a form that a schema has checked.
            now: UTC (`terms.format_time`).
            by: the operator.

        Raises:
            UnknownRegionError: there is none.
            ChangedError: somebody else has changed it meanwhile.
            TransitionError, TermsError: see `VirtualRegion.change`.
        """
        with self._database.changing() as connection:
            serialise(connection)
            before = _get(connection, reference)
            if before.version != version:
                raise ChangedError(
                    f"The virtual region {before.name} is of version {before.version} by now, the change was made of {version}: look at it again."
                )
            return _replace(connection, before.change(document, now), RegionEvent.CHANGE, by)

    def cause(
        self, reference: str, event: RegionEvent, now: str, by: str, offered_to: tuple[str, ...] = ()
    ) -> VirtualRegion:
        """Let an event of the table happen.

        Raises:
            UnknownRegionError: there is none.
            TransitionError: its state does not allow it.
            RegionInUseError: it shall retire, and contracts about it are not over.
        """
        with self._database.changing() as connection:
            serialise(connection)
            after = _get(connection, reference).cause(event, now, offered_to)
            living = _living(connection, after.id)
            if event is RegionEvent.RETIRE and living:
                raise RegionInUseError(f"The virtual region {after.name} has {living} contracts that are not over.")
            return _replace(connection, after, event, by)

    def contracts(self, identity: str) -> int:
        """How many contracts about a region are not over."""
        with self._database.reading() as connection:
            return _living(connection, identity)

    def history(self, identity: str) -> list[dict[str, Any]]:
        """Every change, oldest first: version, event, operator, time."""
        columns = (VERSIONS.c.version, VERSIONS.c.event, VERSIONS.c.operator, VERSIONS.c.time)
        chosen = select(*columns).where(VERSIONS.c.region == identity).order_by(VERSIONS.c.id)
        with self._database.reading() as connection:
            return [dict(row) for row in connection.execute(chosen).mappings()]


def _get(connection: Connection, reference: str) -> VirtualRegion:
    living = (REGIONS.c.name == reference) & (REGIONS.c.state != RegionState.RETIRED.value)
    text = connection.scalar(select(REGIONS.c.document).where(or_(REGIONS.c.id == reference, living)))
    if text is None:
        raise UnknownRegionError(f"No virtual region {reference}.")
    return VirtualRegion.from_json(json.loads(text))


def _living(connection: Connection, identity: str) -> int:
    over = [state.value for state in OVER]
    chosen = (
        (CONTRACTS.c.virtual_region == identity) & (CONTRACTS.c.side == "provider") & CONTRACTS.c.state.not_in(over)
    )
    return connection.scalar(select(func.count()).select_from(CONTRACTS).where(chosen)) or 0


def _replace(connection: Connection, region: VirtualRegion, event: RegionEvent, by: str) -> VirtualRegion:
    connection.execute(update(REGIONS).where(REGIONS.c.id == region.id).values(_values(region)))
    _note(connection, region, event, by)
    return region


def _values(region: VirtualRegion) -> dict[str, Any]:
    text = json.dumps(region.to_json(), sort_keys=True, separators=(",", ":"))
    return {"state": region.state.value, "version": region.version, "document": text}


def _note(connection: Connection, region: VirtualRegion, event: RegionEvent, by: str) -> None:
    values = {"region": region.id, "version": region.version, "event": event.value, "time": region.updated_at}
    values |= {"operator": by[:_LONGEST_OPERATOR], "document": _values(region)["document"]}
    connection.execute(insert(VERSIONS).values(values))
