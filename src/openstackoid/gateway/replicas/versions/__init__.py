"""The Alembic migrations: one file each, in the order of their `down_revision`."""
