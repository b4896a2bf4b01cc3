"""Members of replicas whose clouds have taken the DELETE and may still show them."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0007"
down_revision = "0006"


def _exact(length: int) -> Any:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb"
    )


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "replicas_leaving",
        sa.Column("replica", _exact(32), primary_key=True),
        sa.Column("cloud", _exact(64), primary_key=True),
        sa.Column("resource_id", _exact(255), nullable=False),
        sa.Column("kind", _exact(64), nullable=False),
        sa.Column("owner", _exact(255), nullable=False),
        sa.Column("adopted", sa.Integer, nullable=False),
        sa.Column("deleted_at", sa.BigInteger, nullable=False),
        sa.Index("ix_replicas_leaving_resource_id", "resource_id"),
        sa.Index("ix_replicas_leaving_deleted_at", "deleted_at"),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("replicas_leaving", if_exists=True)
