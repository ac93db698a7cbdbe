"""The tables. A record is kept whole as JSON; the columns beside it are what is searched by, taken from it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()
MOST_UID = 63
"""Characters of a Rollout's uid; Kubernetes' have 36."""

tasks = Table(
    "tasks",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("namespace", String(63), primary_key=True),
    Column("agent", String(40), nullable=False),
    Column("version", String(20), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("failure", Boolean, nullable=False),
    Column("holdout", Boolean, nullable=False),
    Column("finished", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Index("tasks_newest", "finished", "id", "namespace"),
    Index("tasks_newest_of_agent", "namespace", "agent", "finished", "id"),
    Index("tasks_failures_of_agent", "namespace", "agent", "failure", "finished", "id"),
    Index("tasks_received", "received"),
)
"""A task is its namespace and its id: what one namespace posts is never in the way of another. The id comes first in the key, so that who may
see every namespace finds a task by its id alone. `finished` (by the agent's clock) and `received` (by the ledger's) are microseconds since 1970. `failure`: the outcome is a
failure and a user met it, so it belongs to the agent's failure log."""

evidence = Table(
    "evidence",
    metadata,
    Column("namespace", String(63), primary_key=True),
    Column("rollout", String(63), primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("uid", String(MOST_UID), primary_key=True),
    Column("received", BigInteger, nullable=False),
    Column("bundle", LargeBinary, nullable=False),
)
"""Bundles byte for byte as they came, since they are immutable. A Rollout that is made anew under its name counts attempts from 1 again, so
`uid`, the bundle's own, tells them apart; empty where it names none."""
