"""Evidence belongs to one Rollout: one that is made anew under the name of another counts its attempts from 1 as well."""

from __future__ import annotations

import json
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEY = ("namespace", "rollout", "attempt")
_ALL = (*_KEY, "received", "bundle")
MOST_UID: Final = 63


def upgrade() -> None:
    """Add the uid that each bundle names, and make it a part of the key."""
    if op.get_bind().dialect.name == "sqlite":
        _remake(with_uid=True)
    else:
        op.add_column("evidence", sa.Column("uid", sa.String(MOST_UID), nullable=False, server_default=""))
        op.alter_column("evidence", "uid", server_default=None)
    _name_each()
    if op.get_bind().dialect.name != "sqlite":
        _key((*_KEY, "uid"))


def downgrade() -> None:
    """Without the uid again. The database refuses where two Rollouts of one name have an attempt in common, and nothing changes."""
    if op.get_bind().dialect.name == "sqlite":
        _remake(with_uid=False)
        return
    _key(_KEY)
    op.drop_column("evidence", "uid")


def _key(columns: tuple[str, ...]) -> None:
    op.drop_constraint("evidence_pkey", "evidence")
    op.create_primary_key("evidence_pkey", "evidence", list(columns))


def _remake(*, with_uid: bool) -> None:
    """SQLite can't change a key."""
    uid = [sa.Column("uid", sa.String(MOST_UID), nullable=False)] if with_uid else []
    op.rename_table("evidence", "evidence_before")
    op.create_table(
        "evidence",
        sa.Column("namespace", sa.String(63), nullable=False),
        sa.Column("rollout", sa.String(63), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, autoincrement=False),
        *uid,
        sa.Column("received", sa.BigInteger, nullable=False),
        sa.Column("bundle", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint(*_KEY, *(["uid"] if with_uid else [])),
    )
    before = _table("evidence_before", *_ALL)
    empty = [sa.literal("")] if with_uid else []
    rows = sa.select(*(before.c[name] for name in _ALL), *empty)
    op.execute(
        _table("evidence", *_ALL, "uid").insert().from_select([*_ALL, *(["uid"] if with_uid else [])], rows)
    )
    op.drop_table("evidence_before")


def _name_each() -> None:
    """One at a time, for a bundle may have megabytes."""
    connection, evidence = op.get_bind(), _table("evidence", *_ALL, "uid")
    for place in connection.execute(sa.select(*(evidence.c[name] for name in _KEY))).all():
        this = sa.and_(*(evidence.c[name] == value for name, value in zip(_KEY, place, strict=True)))
        bundle = connection.execute(sa.select(evidence.c.bundle).where(this)).scalar_one()
        connection.execute(evidence.update().where(this).values(uid=_uid(bytes(bundle))))


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *map(sa.column, columns))


def _uid(bundle: bytes) -> str:
    found = json.loads(bundle)
    uid = found.get("uid", "") if isinstance(found, dict) else ""
    return uid if isinstance(uid, str) and len(uid) <= MOST_UID else ""
