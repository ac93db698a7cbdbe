"""The first schema: tasks and evidence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("agent", sa.String(40), nullable=False),
        sa.Column("version", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("failure", sa.Boolean, nullable=False),
        sa.Column("holdout", sa.Boolean, nullable=False),
        sa.Column("finished", sa.BigInteger, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("tasks_newest", "tasks", ["finished", "id"])
    op.create_index("tasks_newest_of_agent", "tasks", ["namespace", "agent", "finished", "id"])
    op.create_index("tasks_failures_of_agent", "tasks", ["namespace", "agent", "failure", "finished", "id"])
    op.create_index("tasks_received", "tasks", ["received"])
    op.create_table(
        "evidence",
        sa.Column("namespace", sa.String(63), primary_key=True),
        sa.Column("rollout", sa.String(63), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("bundle", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Drop both tables, with everything in them."""
    op.drop_table("evidence")
    op.drop_table("tasks")
