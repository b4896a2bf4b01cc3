"""Operations and their parts."""

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
        "oaktree_operations",
        sa.Column("id", _exact(32), primary_key=True),
        sa.Column("caller", _exact(255), nullable=False),
        sa.Column("idempotency_key", _exact(255), nullable=True),
        sa.Column("digest", _exact(64), nullable=False),
        sa.Column("kind", _exact(128), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("owner", _exact(32), nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("done", sa.SmallInteger, nullable=False),
        sa.UniqueConstraint("caller", "idempotency_key", name="uq_oaktree_operations_key"),
        if_not_exists=True,
    )
    op.create_index("ix_oaktree_operations_caller", "oaktree_operations", ["caller", "created_at"], if_not_exists=True)
    op.create_index("ix_oaktree_operations_created_at", "oaktree_operations", ["created_at"], if_not_exists=True)
    op.create_table(
        "oaktree_parts",
        sa.Column("operation", _exact(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("location", _document(), nullable=False),
        sa.Column("stage", sa.SmallInteger, nullable=False),
        sa.Column("resource_id", _exact(255), nullable=True),
        sa.Column("status", _exact(255), nullable=True),
        sa.Column("error", _document(), nullable=True),
        sa.Column("sought", _document(), nullable=True),
        sa.Column("sent_at", sa.BigInteger, nullable=True),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_oaktree_parts_resource_id", "oaktree_parts", ["resource_id"], if_not_exists=True)


def downgrade() -> None:
    """Drop them."""
    for table in ("oaktree_parts", "oaktree_operations"):
        op.drop_table(table, if_exists=True)
