"""The tables of a cloud's agreements, as SQLAlchemy knows them; the steps in `versions` make them.

    agreements    one row a peer: our side as it is now
    events        one row a change: who did what when; never rewritten, and it survives the agreement
    peer_keys     what a peer last published, for gateways that start while it is away
    projects      which project of ours stands for one of theirs; since when theirs is gone, if it is
    reservations  projects of theirs for which one of ours is being made, and who makes it: a process that was killed leaves its row
    quota_leases  one row a contract, project and quota: see `trust.quota_leases`, as for the next two
    quota_holds   what a request under way takes; that of a killed process goes by its time
    quota_locks   which process changes the quotas of a project at a service
    region_health one row a contract of ours as a consumer, and minute: see `trust.region_health`
    contract_grants  one row a contract about a virtual region that is in use, of either side: see `trust.contracts`
    revision      one row, whose number grows with every change of agreements and peer keys. Every change takes this row first, so
                  changes happen one after the other on every database

Names differ by case and by every character (`utf8mb4_bin`): MariaDB would otherwise take `cloudtwo` for `CloudTwo`.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Connection, Integer, MetaData, Table, update

from openstackoid.storage.columns import document, exact
from openstackoid.storage.migrations import Migrations

# The maximum lengths: of core.scope for names of clouds, and of Keystone for ids.
NAME: Final = 64


# The steps that made these tables.
MIGRATIONS: Final = Migrations(Path(__file__).parent / "versions")

METADATA: Final = MetaData()

AGREEMENTS: Final = Table(
    "agreements",
    METADATA,
    Column("peer", exact(NAME), primary_key=True),
    Column("id", exact(32), nullable=False),
    Column("url", exact(2048), nullable=False),
    Column("fingerprint", exact(43), nullable=False),
    Column("state", exact(16), nullable=False),
    Column("allowed", document(), nullable=False),
)

EVENTS: Final = Table(
    "events",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("time", exact(24), nullable=False),
    Column("peer", exact(NAME), nullable=False, index=True),
    Column("agreement", exact(32), nullable=False),
    Column("event", exact(16), nullable=False),
    Column("operator", exact(255), nullable=False),
    Column("state", exact(16), nullable=True),
    Column("detail", document(), nullable=False),
)

PEER_KEYS: Final = Table(
    "peer_keys",
    METADATA,
    Column("peer", exact(NAME), primary_key=True),
    Column("document", document(), nullable=False),
)

PROJECTS: Final = Table(
    "projects",
    METADATA,
    Column("peer", exact(NAME), primary_key=True),
    Column("foreign_id", exact(NAME), primary_key=True),
    Column("local_id", exact(NAME), nullable=False),
    Column("gone", BigInteger, nullable=True),
)

RESERVATIONS: Final = Table(
    "reservations",
    METADATA,
    Column("peer", exact(NAME), primary_key=True),
    Column("foreign_id", exact(NAME), primary_key=True),
    Column("holder", exact(32), nullable=False),
    Column("expires", BigInteger, nullable=False),
)

CONTRACTS: Final = Table(
    "contract_grants",
    METADATA,
    Column("contract", exact(32), primary_key=True),
    Column("peer", exact(NAME), nullable=False),
    Column("side", exact(16), nullable=False),
    Column("state", exact(16), nullable=False),
    Column("region", exact(NAME), nullable=False),
    Column("allowed", document(), nullable=False),
    Column("resources", document(), nullable=True),
    Column("quota", document(), nullable=True),
)

QUOTA_LEASES: Final = Table(
    "quota_leases",
    METADATA,
    Column("contract", exact(32), primary_key=True),
    Column("project", exact(NAME), primary_key=True),
    Column("name", exact(32), primary_key=True),
    Column("granted", BigInteger, nullable=False),
    Column("ceiling", BigInteger, nullable=False),
    Column("bound", BigInteger, nullable=False),
    Column("admitted", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("counted", BigInteger, nullable=False),
    Column("settled", Integer, nullable=False),
)

QUOTA_HOLDS: Final = Table(
    "quota_holds",
    METADATA,
    Column("id", exact(32), primary_key=True),
    Column("contract", exact(32), nullable=False, index=True),
    Column("project", exact(NAME), nullable=False),
    Column("service", exact(NAME), nullable=False),
    Column("amounts", document(), nullable=False),
    Column("expires", BigInteger, nullable=False),
)

QUOTA_LOCKS: Final = Table(
    "quota_locks",
    METADATA,
    Column("contract", exact(32), primary_key=True),
    Column("project", exact(NAME), primary_key=True),
    Column("service", exact(NAME), primary_key=True),
    Column("holder", exact(32), nullable=False),
    Column("until", BigInteger, nullable=False),
)

REGION_HEALTH: Final = Table(
    "region_health",
    METADATA,
    Column("contract", exact(32), primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("milliseconds", BigInteger, nullable=False),
    Column("last_success", BigInteger, nullable=False),
    Column("last_failure", BigInteger, nullable=False),
    Column("error", exact(64), nullable=False),
)

REVISION: Final = Table(
    "revision",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)


def serialise(connection: Connection, by: int = 1) -> None:
    """Lock and bump the revision row, which serialises writers; `by` is 0 for changes that gateways need not read."""
    connection.execute(update(REVISION).values({"number": REVISION.c.number + by}))
