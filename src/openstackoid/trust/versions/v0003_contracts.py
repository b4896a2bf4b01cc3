"""Contracts about virtual regions, as gateways need them. An older program does not read them: for it there are none."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def _document() -> Any:
    return sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "contract_grants",
        sa.Column("contract", _exact(32), primary_key=True),
        sa.Column("peer", _exact(64), nullable=False),
        sa.Column("side", _exact(16), nullable=False),
        sa.Column("state", _exact(16), nullable=False),
        sa.Column("region", _exact(64), nullable=False),
        sa.Column("allowed", _document(), nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("contract_grants", if_exists=True)
