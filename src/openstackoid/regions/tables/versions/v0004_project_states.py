"""States of a contract's projects at their home."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "region_project_states",
        sa.Column("contract", _exact(32), primary_key=True),
        sa.Column("project", _exact(64), primary_key=True),
        sa.Column("state", _exact(16), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("region_project_states", if_exists=True)
