"""Work of a provider's control plane outside its database: setting up, cleaning up, projects' states."""

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
        "region_work",
        sa.Column("contract", _exact(32), primary_key=True),
        sa.Column("kind", _exact(16), primary_key=True),
        sa.Column("project", _exact(64), primary_key=True),
        sa.Column("local", _exact(64), nullable=False),
        sa.Column("stage", _exact(16), nullable=False),
        sa.Column("removed", sa.Integer, nullable=False),
        sa.Column("remaining", _document(), nullable=False),
        sa.Column("error", _exact(255), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("holder", _exact(32), nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_region_work_due", "region_work", ["stage", "due"], if_not_exists=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_table("region_work", if_exists=True)
