"""Alembic's way in: `league.database.Database.migrate` hands it a connection inside a transaction."""

from alembic import context

from league.models import Race

context.configure(connection=context.config.attributes["connection"], target_metadata=Race.metadata)
context.run_migrations()
