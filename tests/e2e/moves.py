"""Users who changed sides, where more than one change of shares may lie between two of their requests."""

from __future__ import annotations

from collections.abc import Sequence

from agent_load import Ledger, ShareChange, SideChange, changed_sides

SETTLE = 5.0
"""Seconds the routers have to follow a change, as in `agent_load.changed_sides`."""


def unexplained_moves(ledger: Ledger, changes: Sequence[ShareChange]) -> list[str]:
    """Moves that no chain of share changes explains, told in words: each link takes from one arm and gives to the next."""
    return [
        _told(move, ledger, changes)
        for move in changed_sides(ledger, changes)
        if move.joined not in _reachable(move, _last_before(ledger, move), changes)
    ]


def _told(move: SideChange, ledger: Ledger, changes: Sequence[ShareChange]) -> str:
    """What its user met around the move, in seconds from it, and the changes of shares."""
    rows = sorted((row for row in ledger.rows() if row.user == move.user), key=lambda row: row.routed)
    met = [
        f"{row.routed - move.at:+.2f} {row.mode} {row.cohort} {row.routed_version} {row.error}"
        for row in rows
        if abs(row.routed - move.at) < 30
    ]
    moved = [f"{change.at - move.at:+.2f} {dict(change.after)}" for change in changes]
    return f"user {move.user}: {move.left} to {move.joined}; met {met}; changes {moved}"


def _last_before(ledger: Ledger, move: SideChange) -> float:
    times = (row.routed for row in ledger.rows() if row.user == move.user and row.routed < move.at)
    return max(times, default=move.at)


def _reachable(move: SideChange, since: float, changes: Sequence[ShareChange]) -> set[tuple[str, str]]:
    arms = {move.left}
    between = [change for change in changes if since - SETTLE <= change.at <= move.at + SETTLE]
    # A chain needs at least two links; one link is what `changed_sides` has judged already.
    for change in between if len(between) > 1 else ():
        arms |= {new for new in change.after if any(change.explains(old, new) for old in arms)}
    return arms - {move.left}
