"""Agreements, their history, keys of peers, mapped projects."""

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
        "agreements",
        sa.Column("peer", _exact(64), primary_key=True),
        sa.Column("id", _exact(32), nullable=False),
        sa.Column("url", _exact(2048), nullable=False),
        sa.Column("fingerprint", _exact(43), nullable=False),
        sa.Column("state", _exact(16), nullable=False),
        sa.Column("allowed", _document(), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("time", _exact(24), nullable=False),
        sa.Column("peer", _exact(64), nullable=False),
        sa.Column("agreement", _exact(32), nullable=False),
        sa.Column("event", _exact(16), nullable=False),
        sa.Column("operator", _exact(255), nullable=False),
        sa.Column("state", _exact(16), nullable=True),
        sa.Column("detail", _document(), nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_events_peer", "events", ["peer"], if_not_exists=True)
    op.create_table(
        "peer_keys",
        sa.Column("peer", _exact(64), primary_key=True),
        sa.Column("document", _document(), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "projects",
        sa.Column("peer", _exact(64), primary_key=True),
        sa.Column("foreign_id", _exact(64), primary_key=True),
        sa.Column("local_id", _exact(64), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.CheckConstraint("id = 1", name="one_row"),
        if_not_exists=True,
    )
    op.execute("INSERT INTO revision (id, number) SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM revision)")


def downgrade() -> None:
    """Drop them."""
    for table in ("revision", "projects", "peer_keys", "events", "agreements"):
        op.drop_table(table, if_exists=True)
