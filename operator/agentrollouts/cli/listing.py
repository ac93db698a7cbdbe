"""Tables: all rollouts, and the history of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.api.scalars import short_digest
from agentrollouts.cli.words import percent, phase, span, time_of

OUTCOMES = {
    "Installed": "green",
    "Promoted": "green",
    "RolledBack": "red",
    "Aborted": "yellow",
    "Undone": "yellow",
}


def _table(*headings: str) -> Table:
    # The last column takes what is left of the line: a long message is cut, never what stands before it.
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False, expand=True)
    for heading in headings[:-1]:
        table.add_column(heading, no_wrap=True)
    # A list has one line each, its message cut where the terminal ends; a history is read in full.
    cut = headings[-1] == "MESSAGE"
    table.add_column(headings[-1], ratio=1, no_wrap=cut, overflow="ellipsis" if cut else "fold")
    return table


def rollouts_table(rollouts: Sequence[Mapping[str, Any]], *, now: datetime, namespaces: bool) -> Table:
    """One line a rollout."""
    table = _table(
        *(["NAMESPACE"] if namespaces else []),
        "AGENT",
        "PHASE",
        "STABLE",
        "CANDIDATE",
        "SHARE",
        "AGE",
        "MESSAGE",
    )
    for item in sorted(rollouts, key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"])):
        metadata = item["metadata"]
        status = RolloutStatus.model_validate(item.get("status") or {})
        candidate = status.candidate
        created = time_of(metadata.get("creationTimestamp")) or now
        table.add_row(
            *([metadata["namespace"]] if namespaces else []),
            metadata["name"],
            phase(status.phase),
            status.stable.version if status.stable else "–",
            candidate.version if candidate else "–",
            percent(candidate.share) if candidate else "–",
            span(now - created),
            Text(status.message, "dim"),
        )
    return table


def history_table(status: RolloutStatus, *, now: datetime) -> Table:
    """One line a candidate, the newest first."""
    table = _table("VERSION", "OUTCOME", "ENDED", "TOOK", "DIGEST", "APPROVED BY", "WHY")
    for entry in sorted(status.history, key=lambda each: each.finished_at, reverse=True):
        tried = f" (attempt {entry.attempt})" if entry.attempt > 1 else ""
        table.add_row(
            entry.version + tried,
            Text(entry.outcome, OUTCOMES.get(entry.outcome, "")),
            f"{span(now - entry.finished_at)} ago",
            span(entry.finished_at - entry.started_at),
            Text(short_digest(entry.digest), "dim"),
            ", ".join(record.approver for record in entry.approvals) or "–",
            Text(entry.message or entry.reason, "dim"),
        )
    return table
