"""What this demo shows beyond the rollout itself: what a run of the improver said, which words changed, and what a gate asks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hack.learn.manifests import VARIABLE

_ACTIONS = {"proposed": "bold green", "refused": "bold red"}


def outcome(said: Mapping[str, Any]) -> RenderableType:
    """A run's last word."""
    head = Text.assemble((said["action"], _ACTIONS.get(said["action"], "bold")), f"  {said['reason']}")
    rows = [head, Text(said["message"])]
    if said.get("rationale"):
        rows.append(Text(f"rationale: {said['rationale']}", style="dim"))
    rows += [Text(line, style="dim") for line in said.get("evidence", ())]
    rows.append(
        Text(
            f"{said['turns']} {'turn' if said['turns'] == 1 else 'turns'}, {said['cost_usd']:.6f} USD",
            style="dim",
        )
    )
    return Panel(Group(*rows), title="the improver", title_align="left")


def prompt_lines(old: str, new: str) -> list[str]:
    """The lines of two prompts: ``- `` gone, ``+ `` new, two blanks the same."""
    return [line.rstrip("\n") for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line[0] != "?"]


def failure_rates(gate: Mapping[str, Any]) -> Iterator[tuple[str, str, int, str]]:
    """(cohort, version, tasks, share that wasn't successful) of each cohort that a gate tells of."""
    for row in gate["spec"].get("evidence", ()):
        said = row.get("successRate", "")
        failed = f"{100 - float(said.rstrip('%')):.1f}%" if said else "-"
        yield row["cohort"], row["version"], int(row.get("tasks", 0)), failed


def gate(found: Mapping[str, Any], old: str, new: str) -> RenderableType:
    """What a person who may approve is shown: why, what differs, what was proven, and how both versions do."""
    spec = found["spec"]
    rows: list[RenderableType] = [
        Text(f"asked for by {' and '.join(spec['requestedBy'].splitlines())}", style="dim")
    ]
    rows += [Text(line) for line in spec["rationale"].splitlines()]
    rows += [Text(line, style="dim") for line in spec["changes"]]
    rows.append(Text(VARIABLE, style="bold"))
    styles = {"-": "red", "+": "green"}
    rows += [Text(f"  {line}", style=styles.get(line[0], "dim")) for line in prompt_lines(old, new)]
    rows += [
        Text(
            f"{proof['name']} {proof['verdict']}  {proof['message']}",
            style="green" if proof["verdict"] == "PASS" else "red",
        )
        for proof in spec.get("proofs", ())
    ]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("cohort", "version", "tasks", "not successful"):
        table.add_column(column)
    for cohort, version, tasks, failed in failure_rates(found):
        table.add_row(cohort, version, str(tasks), failed)
    return Panel(
        Group(*rows, table), title=f"kubectl get approvalgate {found['metadata']['name']}", title_align="left"
    )
