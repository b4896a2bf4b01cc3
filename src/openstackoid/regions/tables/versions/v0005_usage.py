"""What contracts use, and statements of it."""

import sqlalchemy as sa
from alembic import op

from openstackoid.storage.columns import document, exact

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "contract_usage",
        sa.Column("contract", exact(32), primary_key=True),
        sa.Column("project", exact(64), primary_key=True),
        sa.Column("day", exact(10), primary_key=True),
        sa.Column("sku", exact(255), primary_key=True),
        sa.Column("unit", exact(16), primary_key=True),
        sa.Column("quantity", exact(32), nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "contract_statements",
        sa.Column("contract", exact(32), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", exact(16), primary_key=True),
        sa.Column("operator", exact(255), nullable=False),
        sa.Column("payload", document(), nullable=False),
        sa.Column("signed", document(), nullable=False),
        sa.Column("sent", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    op.create_index("ix_contract_statements_due", "contract_statements", ["sent", "due"], if_not_exists=True)


def downgrade() -> None:
    """Drop them."""
    op.drop_table("contract_statements", if_exists=True)
    op.drop_table("contract_usage", if_exists=True)
