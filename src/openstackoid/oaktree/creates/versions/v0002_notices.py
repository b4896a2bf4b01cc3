"""Notices: ends of operations that webhooks are to be told."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "oaktree_notices",
        sa.Column("operation", _exact(32), primary_key=True),
        sa.Column("webhook", _exact(64), primary_key=True),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=True),
        if_not_exists=True,
    )
    op.create_index("ix_oaktree_notices_next_at", "oaktree_notices", ["next_at"], if_not_exists=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("oaktree_notices", if_exists=True)
