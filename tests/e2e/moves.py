"""Users who changed sides without a reason, told so that a failing test says what happened to them."""

from __future__ import annotations

from collections.abc import Sequence

from agent_load import Ledger, ShareChange, SideChange, changed_sides


def unexplained_moves(ledger: Ledger, changes: Sequence[ShareChange]) -> list[str]:
    """Moves that no chain of share changes explains, each with what its user met around it, in seconds from the move."""
    return [_told(move, ledger, changes) for move in changed_sides(ledger, changes)]


def _told(move: SideChange, ledger: Ledger, changes: Sequence[ShareChange]) -> str:
    rows = sorted((row for row in ledger.rows() if row.user == move.user), key=lambda row: row.routed)
    met = [
        f"{row.routed - move.at:+.2f} {row.mode} {row.cohort} {row.routed_version} {row.error}"
        for row in rows
        if abs(row.routed - move.at) < 30
    ]
    moved = [
        f"{change.at - move.at:+.2f} (heard {change.heard - move.at:+.2f}) {dict(change.after)}"
        for change in changes
    ]
    return f"user {move.user}: {move.left} to {move.joined}; met {met}; changes {moved}"
