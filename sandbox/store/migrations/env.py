"""Alembic's entry: runs on the connection that the caller opened, in the caller's transaction."""

from alembic import context

from sandbox.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
