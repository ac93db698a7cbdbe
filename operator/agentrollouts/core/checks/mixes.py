"""How far one mix of names is from another: what the checks on tools and on topics share. It warns and never fails.

The distance is the total variation: the part of the whole that would have to go to another name. It is taken over the names
of both versions, for a name that only one of them uses is the largest change there is.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from agentrollouts.core.checks.result import CheckInput, CheckResult, Verdict, percent, short_of, unreported
from agentrollouts.core.counters import SESSIONS
from agentrollouts.core.evidence import CounterQuery, Totals, sum_of

SHOWN = 5
"""Names in the sentence at most."""

Mix = Mapping[str, float]
"""Name to its part, adding up to 1; only names that were used."""


def judge_mix(given: CheckInput, query: CounterQuery, *, tolerance: int, what: str) -> CheckResult:
    """WARN when the mix moved by more than the tolerance, in basis points, and what chance moves it by."""
    n = (sum_of(given.candidate, SESSIONS.metric), sum_of(given.comparator, SESSIONS.metric))
    missing = short_of(given, n, "sessions") or unreported(given, query)
    if missing is not None:
        return missing
    ours, theirs = mix_of(given.candidate, query), mix_of(given.comparator, query)
    moved = apart(ours, theirs)
    chance = scatter(ours, theirs, n)
    verdict = Verdict.WARN if moved > tolerance / 10_000 + chance else Verdict.PASS
    return CheckResult(
        given.name,
        verdict,
        f"{percent(moved)} of the {what} moved, allowed {percent(tolerance / 10_000)}"
        f" and {percent(chance)} by chance{changes(ours, theirs)}",
    )


def mix_of(totals: Totals, query: CounterQuery) -> Mix:
    """The mix that a counter of fractions tells; empty where nothing was counted."""
    counted = {cell.value: n for cell, n in totals.items() if cell.metric == query.metric and n > 0}
    whole = sum(counted.values())
    return {name: n / whole for name, n in counted.items()} if whole else {}


def apart(ours: Mix, theirs: Mix) -> float:
    """Total variation distance, from 0 to 1, over the names of both."""
    return sum(abs(ours.get(name, 0.0) - theirs.get(name, 0.0)) for name in _names(ours, theirs)) / 2


def scatter(ours: Mix, theirs: Mix, n: tuple[float, float]) -> float:
    """The distance two samples of one mix have by chance alone: half the sum of each name's standard error."""
    a, b = n
    total = 0.0
    for name in _names(ours, theirs):
        pooled = (ours.get(name, 0.0) * a + theirs.get(name, 0.0) * b) / (a + b)
        total += sqrt(max(0.0, pooled * (1 - pooled)) * (1 / a + 1 / b))
    return total / 2


def changes(ours: Mix, theirs: Mix) -> str:
    """The largest changes as people read them, each as part before and now; empty where there are none."""

    def moved(name: str) -> float:
        return abs(ours.get(name, 0.0) - theirs.get(name, 0.0))

    largest = sorted(_names(ours, theirs), key=moved, reverse=True)[:SHOWN]
    words = [
        f"{name} {percent(theirs.get(name, 0.0))} -> {percent(ours.get(name, 0.0))}{'' if name in theirs else ' (new)'}"
        for name in largest
        if moved(name) >= 0.001
    ]
    return f": {', '.join(words)}" if words else ""


def _names(ours: Mix, theirs: Mix) -> list[str]:
    """In a settled order, so that sums over them come out the same in every process."""
    return sorted({*ours, *theirs})
