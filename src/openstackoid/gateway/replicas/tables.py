"""The tables of replicas and of the operations on them; the migrations in `versions` create them.

replicas_operations   one row per create, update or delete, with `operations.tables`' columns and:
                      replica   the replica that it is about; its own id for a create
                      intent    what it does, and what happens if a cloud fails
                      sealed    the request and the user's token, encrypted with this cloud's keys, for the gateway that takes over
replicas_parts        one row per cloud, with the bytes of an image that were sent to it
replicas              one row per replica: its kind, the project that owns it, whether it was made of resources that were there, and
                      written   what creates and updates have set of the fields that are compared, and when: `core.replication.last_write`
                      reached   when each of these reached the entry cloud's member
replicas_members      one row per member: its cloud and its id there
replicas_leaving      one row per member whose cloud has taken the DELETE and may still show it
replicas_doubts       one row per replica whose members may differ
replicas_leases       one row: which gateway repairs those
"""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, text

from openstackoid.operations import tables
from openstackoid.storage.columns import document, exact
from openstackoid.storage.migrations import Migrations

MIGRATIONS: Final = Migrations(Path(__file__).parent / "versions", version_table="replicas_alembic_version")
METADATA: Final = MetaData()
TABLES: Final = tables.make(
    "replicas",
    METADATA,
    Column("replica", exact(32), nullable=True, index=True),
    Column("intent", exact(64), nullable=False),
    Column("sealed", document(), nullable=True),
    of_parts=(Column("progress", BigInteger, nullable=True),),
)

REPLICAS: Final = Table(
    "replicas",
    METADATA,
    Column("id", exact(32), primary_key=True),
    Column("kind", exact(64), nullable=False),
    Column("owner", exact(255), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("adopted", Integer, nullable=False, server_default=text("0")),
    Column("written", document(), nullable=True),
    Column("written_at", BigInteger, nullable=True),
    Column("reached", document(), nullable=True),
    Index("ix_replicas_owner", "owner", "created_at"),
)
MEMBERS: Final = Table(
    "replicas_members",
    METADATA,
    Column("replica", exact(32), primary_key=True),
    Column("cloud", exact(64), primary_key=True),
    Column("resource_id", exact(255), nullable=False),
    Index("ix_replicas_members_resource_id", "resource_id"),
)
LEAVING: Final = Table(
    "replicas_leaving",
    METADATA,
    Column("replica", exact(32), primary_key=True),
    Column("cloud", exact(64), primary_key=True),
    Column("resource_id", exact(255), nullable=False),
    Column("kind", exact(64), nullable=False),
    Column("owner", exact(255), nullable=False),
    Column("adopted", Integer, nullable=False),
    Column("deleted_at", BigInteger, nullable=False),
    Index("ix_replicas_leaving_resource_id", "resource_id"),
    Index("ix_replicas_leaving_deleted_at", "deleted_at"),
)
DOUBTS: Final = Table(
    "replicas_doubts",
    METADATA,
    Column("replica", exact(32), primary_key=True),
    Column("caller", exact(255), nullable=False),
    Column("sealed", document(), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("tried_at", BigInteger, nullable=False),
)
LEASES: Final = Table(
    "replicas_leases",
    METADATA,
    Column("name", exact(32), primary_key=True),
    Column("owner", exact(32), nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)
