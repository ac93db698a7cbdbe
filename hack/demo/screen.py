"""What the demo shows while it runs: the rollout as it stands, and the story so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hack.demo.measure import Fact

WIDTH = 40
_STYLE = {"candidate": "yellow", "stable": "green", "control": "cyan"}


def share_bar(arms: Sequence[Mapping[str, Any]]) -> Text:
    """The shares as one coloured bar."""
    bar = Text()
    for arm in arms:
        cells = max(1, round(arm["share"] / 10_000 * WIDTH)) if arm["share"] else 0
        bar.append("█" * cells, style=_STYLE[arm["cohort"]])
    return bar


def view(
    rollout: Mapping[str, Any] | None,
    route: Mapping[str, Any] | None,
    tallies: Mapping[tuple[str, str], Mapping[str, int]],
) -> RenderableType:
    """One frame."""
    status = (rollout or {}).get("status") or {}
    arms = ((route or {}).get("spec") or {}).get("arms") or []
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("cohort", "version", "share", "tasks", "successful"):
        table.add_column(column, style="dim" if column == "cohort" else "")
    for arm in arms:
        tally = tallies.get((arm["version"], arm["cohort"]), {})
        done = sum(tally.values())
        good = f"{tally.get('success', 0) / done:.1%}" if done else "-"
        style = _STYLE[arm["cohort"]]
        table.add_row(
            Text(arm["cohort"], style=style), arm["version"], f"{arm['share'] / 100:g}%", str(done), good
        )
    candidate = status.get("candidate") or {}
    step = f"step {candidate['step'] + 1}" if candidate.get("step", -1) >= 0 else ""
    head = Text.assemble(
        (status.get("phase", "Pending"), "bold"), f"  {step}  ", (status.get("message", ""), "dim")
    )
    checks = Text("  ").join(
        Text(f"{check['name']} {check['verdict']}", style=_verdict_style(check["verdict"]))
        for check in status.get("checks", ())
    )
    return Panel(
        Group(head, share_bar(arms), table, checks), title="kubectl get rollout support", title_align="left"
    )


def _verdict_style(verdict: str) -> str:
    return {"PASS": "green", "FAIL": "bold red", "WARN": "yellow"}.get(verdict, "dim")


def result_table(facts: Sequence[Fact]) -> Table:
    """The last table."""
    table = Table(title="What was measured")
    for column in ("", "what", "measured", "expected"):
        table.add_column(column)
    for fact in facts:
        mark = Text("✔", style="green") if fact.holds else Text("✘", style="bold red")
        table.add_row(mark, fact.what, fact.measured, fact.expected)
    return table


def say(console: Console, text: str) -> None:
    """A sentence of the story."""
    console.print(Text("▸ ", style="bold blue") + Text(text))


def command(console: Console, text: str, answer: str = "", *, refused: bool = False) -> None:
    """A command as the user would type it, and what it answered."""
    console.print(Text("  $ ", style="dim") + Text(text, style="bold"))
    for line in answer.strip().splitlines():
        console.print(Text("    " + line, style="red" if refused else "dim"))
