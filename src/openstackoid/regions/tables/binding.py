"""Bindings in the database, and which process changes the catalog for one. Calls block: in a coroutine, `asyncio.to_thread`.

A process takes a binding for a time before it changes the catalog, so that one that cleans it and one that still writes it do not meet. A process
that was killed leaves its time to run out.
"""

from typing import Any, Final

from sqlalchemy import RowMapping, delete, insert, select, update

from openstackoid.regions.errors import BoundError, UnknownBindingError
from openstackoid.regions.objects.binding import Binding, BindingState
from openstackoid.regions.tables import BINDINGS, serialise
from openstackoid.storage.databases import Database

LEASE: Final = 30  # seconds; a request to Keystone is given up after half of it
_LONGEST_TEXT: Final = 255


class Bindings:
    """The bindings of a consumer."""

    def __init__(self, database: Database) -> None:
        """Use a database whose tables are there."""
        self._database = database

    def all(self) -> list[Binding]:
        """All of them, by region."""
        with self._database.reading() as connection:
            rows = connection.execute(select(BINDINGS).order_by(BINDINGS.c.region)).mappings().all()
        return [_binding(row) for row in rows]

    def get(self, region: str) -> Binding:
        """The binding of a region.

        Raises:
            UnknownBindingError: there is none.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(BINDINGS).where(BINDINGS.c.region == region)).mappings().one_or_none()
        if row is None:
            raise UnknownBindingError(f"No region {region[:64]} is bound to a contract.")
        return _binding(row)

    def bind(self, region: str, contract: str, by: str) -> Binding:
        """Keep a binding; the same one again changes nothing.

        Args:
            region: name.
            contract: id.
            by: the operator.

        Raises:
            BoundError: the region is bound to another contract, or the contract to another region, or is being unbound.
        """
        same = (BINDINGS.c.region == region) | (BINDINGS.c.contract == contract)
        with self._database.changing() as connection:
            serialise(connection)
            for row in connection.execute(select(BINDINGS).where(same)).mappings():
                binding = _binding(row)
                if (binding.region, binding.contract) != (region, contract):
                    raise BoundError(
                        f"The region {binding.region} is bound to the contract {binding.contract} already."
                    )
                if binding.state is BindingState.UNBINDING:
                    raise BoundError(f"The region {region} is being unbound: try again when it is gone.")
                return binding
            made = Binding(region, contract)
            connection.execute(insert(BINDINGS).values(_values(made) | {"operator": by[:_LONGEST_TEXT]}))
        return made

    def unbind(self, region: str) -> Binding:
        """Have a binding undone.

        Raises:
            UnknownBindingError: there is none.
        """
        with self._database.changing() as connection:
            serialise(connection)
            values = {"state": BindingState.UNBINDING.value, "error": ""}
            connection.execute(update(BINDINGS).where(BINDINGS.c.region == region).values(values))
        return self.get(region)

    def take(self, region: str, holder: str, now: int) -> Binding | None:
        """Take a binding whose catalog has to be changed; None if another process has it, or there is nothing to do.

        Args:
            region: name.
            holder: 32 characters that no other process has.
            now: Unix seconds.
        """
        # A time further ahead than any lease is of a clock that was set back.
        over = (BINDINGS.c.until <= now) | (BINDINGS.c.until > now + 2 * LEASE)
        free = (BINDINGS.c.region == region) & over & (BINDINGS.c.state != BindingState.BOUND.value)
        with self._database.changing() as connection:
            serialise(connection)
            held = {"holder": holder, "until": now + LEASE}
            if not connection.execute(update(BINDINGS).where(free).values(held)).rowcount:
                return None
            return _binding(connection.execute(select(BINDINGS).where(BINDINGS.c.region == region)).mappings().one())

    def done(self, binding: Binding, holder: str) -> None:
        """The catalog is as the binding wanted it when it was taken; if the operator changed his mind meanwhile, that comes next."""
        held = _held(binding, holder)
        with self._database.changing() as connection:
            serialise(connection)
            connection.execute(update(BINDINGS).where(held).values({"until": 0, "error": ""}))
            same = held & (BINDINGS.c.state == binding.state.value)
            if binding.state is BindingState.UNBINDING:
                connection.execute(delete(BINDINGS).where(same))
            else:
                connection.execute(update(BINDINGS).where(same).values({"state": BindingState.BOUND.value}))

    def failed(self, binding: Binding, holder: str, error: str, again: int) -> None:
        """The catalog could not be changed; another attempt is due then (Unix seconds)."""
        values = {"until": again, "error": error[:_LONGEST_TEXT]}
        with self._database.changing() as connection:
            serialise(connection)
            connection.execute(update(BINDINGS).where(_held(binding, holder)).values(values))


def _held(binding: Binding, holder: str) -> Any:
    return (BINDINGS.c.region == binding.region) & (BINDINGS.c.holder == holder)


def _binding(row: RowMapping) -> Binding:
    return Binding(row["region"], row["contract"], BindingState(row["state"]), row["error"])


def _values(binding: Binding) -> dict[str, Any]:
    values = {"region": binding.region, "contract": binding.contract, "state": binding.state.value}
    return values | {"error": binding.error, "holder": "", "until": 0}
