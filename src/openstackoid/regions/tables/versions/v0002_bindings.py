"""Regions of the catalog that are bound to contracts."""

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
        "region_bindings",
        sa.Column("region", _exact(64), primary_key=True),
        sa.Column("contract", _exact(32), nullable=False),
        sa.Column("state", _exact(16), nullable=False),
        sa.Column("error", _exact(255), nullable=False),
        sa.Column("operator", _exact(255), nullable=False),
        sa.Column("holder", _exact(32), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_region_bindings_contract", "region_bindings", ["contract"], unique=True, if_not_exists=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("region_bindings", if_exists=True)
