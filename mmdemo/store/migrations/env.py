"""What Alembic runs: the upgrade on the connection that the workspace handed over."""

from alembic import context

from mmdemo.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
