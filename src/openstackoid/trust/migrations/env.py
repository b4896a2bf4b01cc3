"""What Alembic runs for each command: on the connection that it was given, in that connection's transaction."""

from alembic import context

from openstackoid.trust.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
