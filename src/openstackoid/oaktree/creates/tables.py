"""The tables of oaktree's operations; the migrations in `versions` create them.

The tables contain no secrets: of the request, a part stores the name, the ids of other resources, and the mark that identifies the resource in the cloud.
Names begin with `oaktree_`, so that a database may hold other tables beside these.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table

from openstackoid.operations import tables
from openstackoid.storage.columns import exact
from openstackoid.storage.migrations import Migrations

# The migrations of these tables. Alembic's version table has its own name, so that a database may also hold agreements.
MIGRATIONS: Final = Migrations(Path(__file__).parent / "versions", version_table="oaktree_alembic_version")
METADATA: Final = MetaData()
TABLES: Final = tables.make("oaktree", METADATA)
# Ends of operations that webhooks are to be told: see `outbox`. `next_at` is NULL when that is done.
NOTICES: Final = Table(
    "oaktree_notices",
    METADATA,
    Column("operation", exact(32), primary_key=True),
    Column("webhook", exact(64), primary_key=True),
    Column("ended_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=True),
    Index("ix_oaktree_notices_next_at", "next_at"),
)
