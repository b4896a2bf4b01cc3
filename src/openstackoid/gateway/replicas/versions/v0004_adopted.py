"""Which replicas were made of resources that were there: they count for their own project alone."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("replicas")}
    if "adopted" not in columns:  # MariaDB has no transactions around changes of tables
        op.add_column("replicas", sa.Column("adopted", sa.Integer, nullable=False, server_default=sa.text("0")))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("replicas", "adopted")
