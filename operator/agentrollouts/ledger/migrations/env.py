"""Alembic's entry: it migrates over the connection that the ledger hands it, inside the ledger's transaction."""

from __future__ import annotations

from alembic import context

from agentrollouts.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="ledger_schema",
    transactional_ddl=False,
)
context.run_migrations()
