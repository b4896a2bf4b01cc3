"""Until when the use of a project was measured."""

import time

import sqlalchemy as sa
from alembic import op

from openstackoid.storage.columns import exact

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table. What was measured before is not added once more: it was measured within the last hour."""
    op.create_table(
        "contract_usage_marks",
        sa.Column("contract", exact(32), primary_key=True),
        sa.Column("project", exact(64), primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    usage = sa.table("contract_usage", sa.column("contract"), sa.column("project"))
    marks = sa.table("contract_usage_marks", sa.column("contract"), sa.column("project"), sa.column("until"))
    there = sa.exists().where(marks.c.contract == usage.c.contract, marks.c.project == usage.c.project)
    rows = sa.select(usage.c.contract, usage.c.project, sa.literal(int(time.time()))).where(~there).distinct()
    op.execute(sa.insert(marks).from_select(["contract", "project", "until"], rows))


def downgrade() -> None:
    """Drop it."""
    op.drop_table("contract_usage_marks", if_exists=True)
