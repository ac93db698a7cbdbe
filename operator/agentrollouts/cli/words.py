"""How values look in the terminal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from agentrollouts.api.scalars import FULL, format_percent

PHASES = {
    "Pending": ("○", "dim"),
    "Progressing": ("◐", "cyan"),
    "Paused": ("‖", "yellow"),
    "AwaitingApproval": ("?", "bold yellow"),
    "Promoting": ("◕", "cyan"),
    "Healthy": ("✔", "green"),
    "Degraded": ("✖", "red"),
    "RolledBack": ("↩", "red"),
}
VERDICTS = {
    "PASS": ("✔", "green"),
    "WARN": ("!", "yellow"),
    "FAIL": ("✖", "red"),
    "INCONCLUSIVE": ("…", "dim"),
}
PROOFS = {
    "PENDING": ("▶ runs", "cyan"),
    "PASS": ("✔ PASS", "green"),
    "FAIL": ("✖ FAIL", "red"),
    "INVALID": ("! no verdict", "yellow"),
}
BREAKERS = {"Armed": ("✔", "green"), "Tripped": ("✖", "red"), "Inconclusive": ("…", "dim")}
DRIFTING = {
    "True": ("! drifted", "yellow"),
    "False": ("✔ as accepted", "green"),
    "Unknown": ("… unknown", "dim"),
}
COHORTS = {"candidate": "cyan", "stable": "green", "control": "blue"}
BAR = 16
"""Characters of a bar that stands for all of the traffic."""


def phase(name: str) -> Text:
    """A phase with its sign."""
    sign, style = PHASES.get(name, ("·", ""))
    return Text(f"{sign} {name or 'Pending'}", style)


def verdict(name: str) -> Text:
    """A verdict with its sign."""
    sign, style = VERDICTS.get(name, ("·", ""))
    return Text(f"{sign} {name}", style)


def proof(verdict: str) -> Text:
    """How an entry of spec.beforeTraffic stands, with its sign."""
    return Text(*PROOFS.get(verdict, (f"· {verdict}", "")))


def breaker(state: str) -> Text:
    """A breaker's state with its sign."""
    sign, style = BREAKERS.get(state, ("·", ""))
    return Text(f"{sign} {state}", style)


def drifting(condition: str) -> Text:
    """Whether the stable version drifted, with a sign."""
    return Text(*DRIFTING.get(condition, ("· unknown", "")))


def bar(share: int, *, style: str) -> Text:
    """A share as a bar; any share above zero shows at least one block."""
    blocks = max(round(share * BAR / FULL), 1 if share else 0)
    return Text("█" * blocks, style) + Text("░" * (BAR - blocks), "dim")


def percent(share: int) -> str:
    """Basis points as people write them."""
    return format_percent(share)


def span(value: timedelta) -> str:
    """A length of time in its largest unit: 45s, 12m, 3h, 6d."""
    seconds = max(0, int(value.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size or (unit != "m" and seconds == size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def time_of(value: Any) -> datetime | None:
    """An RFC 3339 time of the API, or None."""
    return datetime.fromisoformat(value) if isinstance(value, str) and value else None
