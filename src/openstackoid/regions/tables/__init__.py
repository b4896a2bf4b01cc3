"""The tables of virtual regions and contracts, as SQLAlchemy knows them; the steps in `versions` make them.

virtual_regions          one row a region, as it is now
virtual_region_versions  one row a change of a region: who did what when; never rewritten
contracts                one row a contract, of either side: what its messages come to
contract_messages        both sides' messages, as they were signed; never rewritten
contract_outbox          messages of ours that the other side has not acknowledged
region_bindings          one row a region of this cloud's catalog that is bound to a contract
region_work              one row a piece of work outside the database: how far it is, and what is left (`objects.work`)
region_project_states    one row a project with a sub-project, of either side's contracts (`tables.project_states`)
contract_usage           one row a contract, project, day and what was used
contract_usage_marks     one row a contract and project: until when it was measured
contract_statements      statements of use, and the answers to them; never rewritten
regions_revision         one row, which every change takes first: changes happen one after the other on every database
"""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Connection, Index, Integer, MetaData, Table, update

from openstackoid.storage.columns import document, exact
from openstackoid.storage.migrations import Migrations

MIGRATIONS: Final = Migrations(Path(__file__).parent / "versions", version_table="regions_alembic_version")
METADATA: Final = MetaData()
_ID: Final = 32
_NAME: Final = 64
_TIME: Final = 20

REGIONS: Final = Table(
    "virtual_regions",
    METADATA,
    Column("id", exact(_ID), primary_key=True),
    Column("name", exact(_NAME), nullable=False),
    Column("state", exact(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", document(), nullable=False),
    Index("ix_virtual_regions_name", "name"),
)

VERSIONS: Final = Table(
    "virtual_region_versions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("region", exact(_ID), nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("event", exact(16), nullable=False),
    Column("operator", exact(255), nullable=False),
    Column("time", exact(_TIME), nullable=False),
    Column("document", document(), nullable=False),
)

CONTRACTS: Final = Table(
    "contracts",
    METADATA,
    Column("id", exact(_ID), primary_key=True),
    Column("peer", exact(_NAME), nullable=False),
    Column("side", exact(16), nullable=False),
    Column("virtual_region", exact(_ID), nullable=False, index=True),
    Column("state", exact(16), nullable=False, index=True),
    Column("since", BigInteger, nullable=False),
    Column("terms", document(), nullable=False),
)

MESSAGES: Final = Table(
    "contract_messages",
    METADATA,
    Column("contract", exact(_ID), primary_key=True),
    Column("side", exact(16), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("operator", exact(255), nullable=False),
    Column("signed", document(), nullable=False),
    Column("payload", document(), nullable=False),
)

OUTBOX: Final = Table(
    "contract_outbox",
    METADATA,
    Column("contract", exact(_ID), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("due", BigInteger, nullable=False, index=True),
    Column("attempts", Integer, nullable=False),
    Column("error", exact(255), nullable=False),
)

BINDINGS: Final = Table(
    "region_bindings",
    METADATA,
    Column("region", exact(_NAME), primary_key=True),
    Column("contract", exact(_ID), nullable=False),
    Column("state", exact(16), nullable=False),
    Column("error", exact(255), nullable=False),
    Column("operator", exact(255), nullable=False),
    Column("holder", exact(_ID), nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("ix_region_bindings_contract", "contract", unique=True),
)

WORK: Final = Table(
    "region_work",
    METADATA,
    Column("contract", exact(_ID), primary_key=True),
    Column("kind", exact(16), primary_key=True),
    Column("project", exact(_NAME), primary_key=True),
    Column("local", exact(_NAME), nullable=False),
    Column("stage", exact(16), nullable=False),
    Column("removed", Integer, nullable=False),
    Column("remaining", document(), nullable=False),
    Column("error", exact(255), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("holder", exact(_ID), nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("ix_region_work_due", "stage", "due"),
)

PROJECT_STATES: Final = Table(
    "region_project_states",
    METADATA,
    Column("contract", exact(_ID), primary_key=True),
    Column("project", exact(_NAME), primary_key=True),
    Column("state", exact(16), nullable=False),
    Column("since", BigInteger, nullable=False),
)

USAGE: Final = Table(
    "contract_usage",
    METADATA,
    Column("contract", exact(_ID), primary_key=True),
    Column("project", exact(_NAME), primary_key=True),
    Column("day", exact(10), primary_key=True),
    Column("sku", exact(255), primary_key=True),
    Column("unit", exact(16), primary_key=True),
    Column("quantity", exact(32), nullable=False),
)

USAGE_MARKS: Final = Table(
    "contract_usage_marks",
    METADATA,
    Column("contract", exact(_ID), primary_key=True),
    Column("project", exact(_NAME), primary_key=True),
    Column("until", BigInteger, nullable=False),
)

STATEMENTS: Final = Table(
    "contract_statements",
    METADATA,
    Column("contract", exact(_ID), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", exact(16), primary_key=True),
    Column("operator", exact(255), nullable=False),
    Column("payload", document(), nullable=False),
    Column("signed", document(), nullable=False),
    Column("sent", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due", BigInteger, nullable=False),
    Index("ix_contract_statements_due", "sent", "due"),
)

REVISION: Final = Table(
    "regions_revision",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    CheckConstraint("id = 1", name="regions_one_row"),
)


def serialise(connection: Connection) -> None:
    """Lock and bump the revision row, which serialises writers."""
    connection.execute(update(REVISION).values({"number": REVISION.c.number + 1}))
