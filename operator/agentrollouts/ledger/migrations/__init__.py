"""Alembic's migrations, applied by the service when it starts."""
