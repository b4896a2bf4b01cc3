"""The tables of operations, in SQLAlchemy; the migrations in `versions` create them.

    oaktree_operations   one row per create: the caller, the key, the worker that owns it, and the end of the worker's lease
    oaktree_parts        one row per cloud-region of a create: its progress, and the data needed to determine its outcome

The tables contain no secrets: of the request, a part stores the name, the ids of other resources, and the mark that identifies the resource in the cloud.
Names begin with `oaktree_`, so that a database may hold other tables beside these. Times are milliseconds since 1970, UTC.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, SmallInteger, Table, UniqueConstraint

from openstackoid.storage.columns import document, exact
from openstackoid.storage.migrations import Migrations

# The migrations of these tables. Alembic's version table has its own name, so that a database may also hold agreements.
MIGRATIONS: Final = Migrations(Path(__file__).parent / "versions", version_table="oaktree_alembic_version")

METADATA: Final = MetaData()

OPERATIONS: Final = Table(
    "oaktree_operations",
    METADATA,
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
    UniqueConstraint("caller", "idempotency_key", name="uq_oaktree_operations_key"),
    Index("ix_oaktree_operations_caller", "caller", "created_at"),
    Index("ix_oaktree_operations_created_at", "created_at"),
)

PARTS: Final = Table(
    "oaktree_parts",
    METADATA,
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
    Index("ix_oaktree_parts_resource_id", "resource_id"),
)
