"""The tables of operations, in SQLAlchemy; each side's migrations create its own, under names with its own prefix.

    PREFIX_operations   one row per operation: the caller, the key, the worker that owns it, and the end of the worker's lease
    PREFIX_parts        one row per cloud: its progress, and the data needed to determine its outcome

Times are milliseconds since 1970, UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, SmallInteger, Table, UniqueConstraint

from openstackoid.storage.columns import document, exact


@dataclass(frozen=True)
class Tables:
    """One side's tables."""

    operations: Table
    parts: Table


def make(prefix: str, metadata: MetaData, *more: Column[object], of_parts: Sequence[Column[object]] = ()) -> Tables:
    """The tables of one side.

    Args:
        prefix: of their names and their indexes' names.
        metadata: where they are registered.
        more: columns that only this side's operations have; their values are given to `Store.begin`.
        of_parts: columns that only this side's parts have.
    """
    operations = Table(
        f"{prefix}_operations",
        metadata,
        Column("id", exact(32), primary_key=True),
        Column("caller", exact(255), nullable=False),
        # A unique constraint allows any number of NULLs, but each key only once.
        Column("idempotency_key", exact(255), nullable=True),
        Column("digest", exact(64), nullable=False),
        Column("kind", exact(128), nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("owner", exact(32), nullable=False),
        Column("lease_until", BigInteger, nullable=False),
        Column("done", SmallInteger, nullable=False),
        *more,
        UniqueConstraint("caller", "idempotency_key", name=f"uq_{prefix}_operations_key"),
        Index(f"ix_{prefix}_operations_caller", "caller", "created_at"),
        Index(f"ix_{prefix}_operations_created_at", "created_at"),
    )
    parts = Table(
        f"{prefix}_parts",
        metadata,
        Column("operation", exact(32), primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("location", document(), nullable=False),
        Column("stage", SmallInteger, nullable=False),
        Column("resource_id", exact(255), nullable=True),
        Column("status", exact(255), nullable=True),
        Column("error", document(), nullable=True),
        Column("sought", document(), nullable=True),
        Column("sent_at", BigInteger, nullable=True),
        Column("changed_at", BigInteger, nullable=False),
        *of_parts,
        Index(f"ix_{prefix}_parts_resource_id", "resource_id"),
    )
    return Tables(operations, parts)
