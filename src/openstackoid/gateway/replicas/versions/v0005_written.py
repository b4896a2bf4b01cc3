"""What was written last of a replica, and when."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("replicas")}
    # One by one: MariaDB has no transactions around changes of tables.
    if "written" not in columns:
        text = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
        op.add_column("replicas", sa.Column("written", text, nullable=True))
    if "written_at" not in columns:
        op.add_column("replicas", sa.Column("written_at", sa.BigInteger, nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("replicas", "written_at")
    op.drop_column("replicas", "written")
