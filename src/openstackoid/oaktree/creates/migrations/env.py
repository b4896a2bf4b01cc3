"""What Alembic runs for each command: on the connection that it was given, in that connection's transaction."""

from alembic import context

from openstackoid.oaktree.creates.migrations import VERSIONS
from openstackoid.oaktree.creates.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSIONS)
with context.begin_transaction():
    context.run_migrations()
