"""Projects that are being made. An older program neither reads nor writes them: it may make a project more than agreed."""

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
        "reservations",
        sa.Column("peer", _exact(64), primary_key=True),
        sa.Column("foreign_id", _exact(64), primary_key=True),
        sa.Column("holder", _exact(32), nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("reservations", if_exists=True)
