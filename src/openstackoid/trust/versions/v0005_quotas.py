"""Quotas of contracts, and what of them is leased to which project."""

import sqlalchemy as sa
from alembic import op

from openstackoid.storage.columns import document, exact

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a column and three tables; what a killed migration has made on MariaDB is there already."""
    inspector = sa.inspect(op.get_bind())
    there = set(inspector.get_table_names())
    if "quota" not in {column["name"] for column in inspector.get_columns("contract_grants")}:
        op.add_column("contract_grants", sa.Column("quota", document(), nullable=True))
    numbers = ("granted", "ceiling", "bound", "admitted", "used", "counted")
    if "quota_leases" not in there:
        op.create_table(
            "quota_leases",
            sa.Column("contract", exact(32), primary_key=True),
            sa.Column("project", exact(64), primary_key=True),
            sa.Column("name", exact(32), primary_key=True),
            *(sa.Column(name, sa.BigInteger, nullable=False) for name in numbers),
            sa.Column("settled", sa.Integer, nullable=False),
        )
    if "quota_holds" not in there:
        op.create_table(
            "quota_holds",
            sa.Column("id", exact(32), primary_key=True),
            sa.Column("contract", exact(32), nullable=False, index=True),
            sa.Column("project", exact(64), nullable=False),
            sa.Column("service", exact(64), nullable=False),
            sa.Column("amounts", document(), nullable=False),
            sa.Column("expires", sa.BigInteger, nullable=False),
        )
    if "quota_locks" not in there:
        op.create_table(
            "quota_locks",
            sa.Column("contract", exact(32), primary_key=True),
            sa.Column("project", exact(64), primary_key=True),
            sa.Column("service", exact(64), primary_key=True),
            sa.Column("holder", exact(32), nullable=False),
            sa.Column("until", sa.BigInteger, nullable=False),
        )


def downgrade() -> None:
    """Drop them."""
    for table in ("quota_locks", "quota_holds", "quota_leases"):
        op.drop_table(table)
    op.drop_column("contract_grants", "quota")
