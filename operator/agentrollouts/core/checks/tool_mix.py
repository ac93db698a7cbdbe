"""toolMix: how far the candidate's mix of tools is from the old version's. It warns and never fails.

The distance is the total variation: the part of the calls that would have to go to another tool. It is taken over the
tools of both versions, for a tool that only one of them calls is the largest change there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from agentrollouts.api.session_kinds import ToolMixSpec
from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict, percent, short_of, unreported
from agentrollouts.core.counters import SESSION_TOOLS, SESSIONS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of

SHOWN = 5
"""Tools named in the sentence at most."""


def queries(spec: ToolMixSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (SESSIONS, SESSION_TOOLS)


def judge(spec: ToolMixSpec, given: CheckInput) -> CheckResult:
    """WARN when the mix moved by more than the tolerance and what chance moves it by."""
    n = (sum_of(given.candidate, SESSIONS.metric), sum_of(given.comparator, SESSIONS.metric))
    missing = short_of(given, n, "sessions") or unreported(given, SESSION_TOOLS)
    if missing is not None:
        return missing
    ours, theirs = _mix(given.candidate), _mix(given.comparator)
    tools = sorted({*ours, *theirs})
    moved = sum(abs(ours.get(tool, 0.0) - theirs.get(tool, 0.0)) for tool in tools) / 2
    chance = _chance(ours, theirs, n)
    verdict = Verdict.WARN if moved > spec.tolerance / 10_000 + chance else Verdict.PASS
    return CheckResult(
        given.name,
        verdict,
        f"{percent(moved)} of the tool calls moved, allowed {percent(spec.tolerance / 10_000)}"
        f" and {percent(chance)} by chance{_changes(ours, theirs, tools)}",
    )


def _mix(totals: Totals) -> Mapping[str, float]:
    """Tool to its part of the sessions' calls, adding up to 1; only tools that were called."""
    counted = {cell.value: n for cell, n in totals.items() if cell.metric == SESSION_TOOLS.metric and n > 0}
    whole = sum(counted.values())
    return {tool: n / whole for tool, n in counted.items()} if whole else {}


def _chance(ours: Mapping[str, float], theirs: Mapping[str, float], n: tuple[float, float]) -> float:
    """The distance two samples of one mix have by chance alone: half the sum of each tool's standard error."""
    a, b = n
    total = 0.0
    for tool in {*ours, *theirs}:
        pooled = (ours.get(tool, 0.0) * a + theirs.get(tool, 0.0) * b) / (a + b)
        total += sqrt(pooled * (1 - pooled) * (1 / a + 1 / b))
    return total / 2


def _changes(ours: Mapping[str, float], theirs: Mapping[str, float], tools: list[str]) -> str:
    def moved(tool: str) -> float:
        return abs(ours.get(tool, 0.0) - theirs.get(tool, 0.0))

    largest = [tool for tool in sorted(tools, key=moved, reverse=True)[:SHOWN] if moved(tool) >= 0.001]
    words = [
        f"{tool} {percent(theirs.get(tool, 0.0))} -> {percent(ours.get(tool, 0.0))}{'' if tool in theirs else ' (new)'}"
        for tool in largest
    ]
    return f": {', '.join(words)}" if words else ""
