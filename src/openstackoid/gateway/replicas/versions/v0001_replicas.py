"""Operations on replicas, replicas and their members."""

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
        "replicas_operations",
        sa.Column("id", _exact(32), primary_key=True),
        sa.Column("caller", _exact(255), nullable=False),
        sa.Column("idempotency_key", _exact(255), nullable=True),
        sa.Column("digest", _exact(64), nullable=False),
        sa.Column("kind", _exact(128), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("owner", _exact(32), nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("done", sa.SmallInteger, nullable=False),
        sa.Column("replica", _exact(32), nullable=True),
        sa.Column("intent", _exact(64), nullable=False),
        sa.Column("sealed", _document(), nullable=True),
        sa.UniqueConstraint("caller", "idempotency_key", name="uq_replicas_operations_key"),
        if_not_exists=True,
    )
    for name, columns in (
        ("ix_replicas_operations_caller", ["caller", "created_at"]),
        ("ix_replicas_operations_created_at", ["created_at"]),
        ("ix_replicas_operations_replica", ["replica"]),
    ):
        op.create_index(name, "replicas_operations", columns, if_not_exists=True)
    op.create_table(
        "replicas_parts",
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
    op.create_index("ix_replicas_parts_resource_id", "replicas_parts", ["resource_id"], if_not_exists=True)
    op.create_table(
        "replicas",
        sa.Column("id", _exact(32), primary_key=True),
        sa.Column("kind", _exact(64), nullable=False),
        sa.Column("owner", _exact(255), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_replicas_owner", "replicas", ["owner", "created_at"], if_not_exists=True)
    op.create_table(
        "replicas_members",
        sa.Column("replica", _exact(32), primary_key=True),
        sa.Column("cloud", _exact(64), primary_key=True),
        sa.Column("resource_id", _exact(255), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_replicas_members_resource_id", "replicas_members", ["resource_id"], if_not_exists=True)


def downgrade() -> None:
    """Drop them."""
    for table in ("replicas_members", "replicas", "replicas_parts", "replicas_operations"):
        op.drop_table(table, if_exists=True)
