"""What queries of the user's own say of an agent's versions: from rows with labels to one value for each side, or why not.

Nothing is made up on the way: an absent row, a value that is no number, two rows where one is expected and an answer that is
too old are unknown, each with its own sentence. Two rows are never averaged: the mean of two 99 % quantiles is neither's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from math import isfinite
from types import MappingProxyType
from typing import NamedTuple

from agentrollouts.api.checks import CheckSpec
from agentrollouts.api.promql_check import PromqlSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.scalars import format_duration
from agentrollouts.core.evidence import Arm, Asked, Evidence, Unavailable
from agentrollouts.core.template import LABELS, OWNERS, complaints, matched, rendered

CADENCE = timedelta(seconds=15)
"""A query isn't asked more often than this, whatever the interval."""
PATIENCE = 4
"""After so many cadences without a newer answer the last one is stale."""
WINDOW = timedelta(minutes=5)
"""``{{ window }}`` where the analysis has none."""
CANDIDATE, OLD_COHORTS = "candidate", ("control", "stable")
"""The old version's cohorts, the one that is compared first: control callers were chosen as the candidate's were."""


class Row(NamedTuple):
    """One series of an answer, and its value at the moment of the question; NaN and infinities are as the server said."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer, and when it was asked for. Rows are found by the agent they name, or by naming none."""

    at: datetime
    by_owner: Mapping[tuple[str, str], tuple[Row, ...]]
    """Rows by their labels (namespace, agent), each empty where it isn't there."""

    @classmethod
    def of(cls, rows: Iterable[Row], at: datetime) -> Reply:
        """The rows of an answer, sorted once for all agents."""
        found: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            owner = (row.labels.get("namespace", ""), row.labels.get("agent", ""))
            found.setdefault(owner, []).append(row)
        return cls(at, MappingProxyType({owner: tuple(mine) for owner, mine in found.items()}))

    def about(self, namespace: str, agent: str, matched: Collection[str] = OWNERS) -> Asked | Unavailable:
        """The values of one agent by version and cohort; Unavailable where none is its, or a row isn't told apart.

        A row may leave out the labels that the query has ``matched``. One that leaves out another is nobody's.
        """
        namespaces = (namespace, "") if "namespace" in matched else (namespace,)
        agents = (agent, "") if "agent" in matched else (agent,)
        rows = [row for owner in product(namespaces, agents) for row in self.by_owner.get(owner, ())]
        if not rows and self.by_owner:
            return Unavailable(
                f'expected series with namespace="{namespace}" and agent="{agent}"; got'
                f" {sum(map(len, self.by_owner.values()))}, all of others or without these labels"
            )
        values: dict[Arm, tuple[float, ...]] = {}
        for row in rows:
            lacking = [label for label in LABELS if not row.labels.get(label)]
            if lacking:
                return Unavailable(_unlabelled(row, lacking))
            arm = Arm(row.labels["version"], row.labels["cohort"])
            values[arm] = (*values.get(arm, ()), row.value)
        return Asked(MappingProxyType(values), self.at)


def _unlabelled(row: Row, lacking: list[str]) -> str:
    seen = ", ".join(f'{name}="{value}"' for name, value in sorted(row.labels.items())) or "no labels"
    return (
        f"expected labels version and cohort on every series; got one without {' and '.join(lacking)} ({seen[:200]}):"
        " group by (version, cohort), and report the metric with both labels"
    )


def own_queries(checks: Iterable[CheckSpec]) -> tuple[tuple[CheckSpec, PromqlSpec], ...]:
    """The checks that are queries of the user's own."""
    return tuple((check, check.promql) for check in checks if check.promql is not None)


class Query(NamedTuple):
    """What the server is asked, and which of namespace and agent it is asked about alone."""

    text: str
    matched: frozenset[str]


def query_of(check: PromqlSpec, spec: RolloutSpec, namespace: str) -> Query | Unavailable:
    """The query for one rollout's agent; what is wrong with its template."""
    wrong = complaints(check.query)
    if wrong:
        return Unavailable("; ".join(wrong))
    window = spec.analysis.window or WINDOW
    text = rendered(check.query, namespace=namespace, agent=spec.agent, window=window)
    return Query(text, matched(check.query))


def cadence(interval: timedelta) -> timedelta:
    """How often a query is asked at most."""
    return max(CADENCE, interval)


class Told(NamedTuple):
    """What is known of both sides. A value is None where it isn't, and the sentence beside it says why."""

    candidate: float | None
    old: float | None
    candidate_problem: str = ""
    old_problem: str = ""
    cohort: str = ""
    """The old version's cohort that is compared."""
    age: timedelta = timedelta(0)


def told(
    evidence: Evidence, name: str, *, candidate: str, stable: str, now: datetime, interval: timedelta
) -> Told | Unavailable:
    """What the query of that check says of the two versions now."""
    asked = evidence.asked.get(name, Unavailable("the query wasn't asked"))
    if isinstance(asked, Unavailable):
        return asked
    age, patience = now - asked.at, PATIENCE * cadence(interval)
    if age > patience:
        return Unavailable(
            f"stale: the newest answer is {format_duration(age)} old, expected one of the last {format_duration(patience)};"
            " Prometheus answers too slowly, or too many queries wait for it"
        )
    ours, problem = _one(asked, Arm(candidate, CANDIDATE))
    cohort = next((each for each in OLD_COHORTS if Arm(stable, each) in asked.values), OLD_COHORTS[0])
    theirs, old_problem = _one(asked, Arm(stable, cohort))
    return Told(ours, theirs, problem, old_problem, cohort, age)


def _one(asked: Asked, arm: Arm) -> tuple[float | None, str]:
    """The value of an arm, or why there is none."""
    values, whose = asked.values.get(arm, ()), f'version="{arm.version}", cohort="{arm.cohort}"'
    if not values:
        return None, f"the query has no value for {whose}{_there(asked)}"
    if len(values) > 1:
        return None, (
            f"expected one series for {whose}; got {len(values)}: aggregate by (version, cohort) and by nothing else"
        )
    if not isfinite(values[0]):
        return None, f"expected a number for {whose}; got {values[0]}"
    return values[0], ""


def _there(asked: Asked) -> str:
    if not asked.values:
        return ": its answer is empty"
    arms = sorted(f"{arm.version}/{arm.cohort}" for arm in asked.values)
    return f"; there is {', '.join(arms[:6])}{' and more' if len(arms) > 6 else ''}"
