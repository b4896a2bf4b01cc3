"""Which flavors, images, networks and zones are in a contract's region."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; contracts of before have none, and the control plane writes them again."""
    kind = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
    columns = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("contract_grants")}
    if "resources" not in columns:  # MariaDB has no transactions around changes of tables
        op.add_column("contract_grants", sa.Column("resources", kind, nullable=True))


def downgrade() -> None:
    """Drop it."""
    op.drop_column("contract_grants", "resources")
