"""Replicas whose members may differ, and the lease of the gateway that repairs them."""

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
    """Make the tables."""
    op.create_table(
        "replicas_doubts",
        sa.Column("replica", _exact(32), primary_key=True),
        sa.Column("caller", _exact(255), nullable=False),
        sa.Column("sealed", _document(), nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("tried_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "replicas_leases",
        sa.Column("name", _exact(32), primary_key=True),
        sa.Column("owner", _exact(32), nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("replicas_leases", "replicas_doubts"):
        op.drop_table(table, if_exists=True)
