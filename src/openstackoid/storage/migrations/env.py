"""Alembic runs this file for each command: it takes the steps on the connection it was given, in that connection's transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"], version_table=context.config.attributes["version_table"]
)
with context.begin_transaction():
    context.run_migrations()
