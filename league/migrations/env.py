"""Alembic's way in: `league.database.Database.migrate` hands it a connection inside a transaction."""

from alembic import context

from league.models import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
context.run_migrations()
