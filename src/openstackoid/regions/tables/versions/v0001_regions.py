"""Virtual regions with their versions, contracts with their messages, what is to be sent."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def _document() -> Any:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "virtual_regions",
        sa.Column("id", _exact(32), primary_key=True),
        sa.Column("name", _exact(64), nullable=False),
        sa.Column("state", _exact(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("document", _document(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_virtual_regions_name", "virtual_regions", ["name"], if_not_exists=True)
    op.create_table(
        "virtual_region_versions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("region", _exact(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("event", _exact(16), nullable=False),
        sa.Column("operator", _exact(255), nullable=False),
        sa.Column("time", _exact(20), nullable=False),
        sa.Column("document", _document(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_virtual_region_versions_region", "virtual_region_versions", ["region"], if_not_exists=True)
    op.create_table(
        "contracts",
        sa.Column("id", _exact(32), primary_key=True),
        sa.Column("peer", _exact(64), nullable=False),
        sa.Column("side", _exact(16), nullable=False),
        sa.Column("virtual_region", _exact(32), nullable=False),
        sa.Column("state", _exact(16), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("terms", _document(), nullable=False),
        if_not_exists=True,
    )
    for column in ("virtual_region", "state"):
        op.create_index(f"ix_contracts_{column}", "contracts", [column], if_not_exists=True)
    op.create_table(
        "contract_messages",
        sa.Column("contract", _exact(32), primary_key=True),
        sa.Column("side", _exact(16), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("operator", _exact(255), nullable=False),
        sa.Column("signed", _document(), nullable=False),
        sa.Column("payload", _document(), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "contract_outbox",
        sa.Column("contract", _exact(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", _exact(255), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_contract_outbox_due", "contract_outbox", ["due"], if_not_exists=True)
    op.create_table(
        "regions_revision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.CheckConstraint("id = 1", name="regions_one_row"),
        if_not_exists=True,
    )
    op.execute(
        "INSERT INTO regions_revision (id, number) SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM regions_revision)"
    )


def downgrade() -> None:
    """Drop them."""
    tables = ("contract_outbox", "contract_messages", "contracts", "virtual_region_versions", "virtual_regions")
    for table in (*tables, "regions_revision"):
        op.drop_table(table, if_exists=True)
