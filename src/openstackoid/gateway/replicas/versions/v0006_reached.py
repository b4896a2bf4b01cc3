"""When each field of what was written last of a replica reached the entry cloud's member."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("replicas")}
    if "reached" not in columns:
        text = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
        op.add_column("replicas", sa.Column("reached", text, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("replicas", "reached")
