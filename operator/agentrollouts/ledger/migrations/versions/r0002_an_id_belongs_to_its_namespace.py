"""An id belongs to its namespace: two of them may have a task with the same one."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

MOVED_AT_ONCE: Final = 1_000
"""Rows of SQLite's old table that are copied and then removed, so that the new one grows into their room."""
_KEY = ("id", "namespace")
_COPY: Final = sa.text("""
    INSERT INTO tasks (id, namespace, agent, version, outcome, failure, holdout, finished, received, record)
    SELECT id, namespace, agent, version, outcome, failure, holdout, finished, received, record
    FROM tasks_before ORDER BY rowid LIMIT :most
""")
_REMOVE: Final = sa.text("""
    DELETE FROM tasks_before WHERE rowid IN (SELECT rowid FROM tasks_before ORDER BY rowid LIMIT :most)
""")


def upgrade() -> None:
    """Make the namespace a part of the key, and of the order in which the tasks of all namespaces are listed."""
    _change(_KEY, newest=("finished", "id", "namespace"))


def downgrade() -> None:
    """Make the id alone the key again. The database refuses where two namespaces have one in common, and nothing changes."""
    _change(("id",), newest=("finished", "id"))


def _change(key: tuple[str, ...], *, newest: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "sqlite":
        _remake(key, newest)
        return
    op.drop_constraint("tasks_pkey", "tasks")
    op.create_primary_key("tasks_pkey", "tasks", list(key))
    op.drop_index("tasks_newest", "tasks")
    op.create_index("tasks_newest", "tasks", list(newest))


def _remake(key: tuple[str, ...], newest: tuple[str, ...]) -> None:
    """SQLite can't change a key."""
    for index in ("tasks_newest", "tasks_newest_of_agent", "tasks_failures_of_agent", "tasks_received"):
        op.drop_index(index, "tasks")
    op.rename_table("tasks", "tasks_before")
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("agent", sa.String(40), nullable=False),
        sa.Column("version", sa.String(20), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("failure", sa.Boolean, nullable=False),
        sa.Column("holdout", sa.Boolean, nullable=False),
        sa.Column("finished", sa.BigInteger, nullable=False),
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("record", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint(*key),
    )
    # NB: before there are rows: to index them afterwards SQLite would sort them in files beside the temporary ones.
    op.create_index("tasks_newest", "tasks", list(newest))
    op.create_index("tasks_newest_of_agent", "tasks", ["namespace", "agent", "finished", "id"])
    op.create_index("tasks_failures_of_agent", "tasks", ["namespace", "agent", "failure", "finished", "id"])
    op.create_index("tasks_received", "tasks", ["received"])
    _move()
    op.drop_table("tasks_before")


def _move() -> None:
    connection, most = op.get_bind(), {"most": MOVED_AT_ONCE}
    while connection.execute(_COPY, most).rowcount:
        connection.execute(_REMOVE, most)
