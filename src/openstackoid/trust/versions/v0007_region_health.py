"""How a consumer's regions do."""

import sqlalchemy as sa
from alembic import op

from openstackoid.storage.columns import exact

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    numbers = ("requests", "failures", "milliseconds", "last_success", "last_failure")
    op.create_table(
        "region_health",
        sa.Column("contract", exact(32), primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in numbers),
        sa.Column("error", exact(64), nullable=False),
        if_not_exists=True,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("region_health", if_exists=True)
