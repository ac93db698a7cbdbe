"""What the demo claims at its end, computed from the users' own ledger, the route's history and the agents' counters."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from agent_load import (
    Ledger,
    Row,
    ShareChange,
    changed_sides,
    misanswered,
    outcomes,
    routing_errors,
    started_after,
)
from hack.demo.kubectl import Kubectl

Arms = Mapping[tuple[str, str], int]


Counts = Mapping[tuple[str, str, str], int]
"""Tasks by version, cohort and outcome."""


@dataclass(slots=True)
class RouteHistory:
    """Every change of shares, at the moment it was decided."""

    changes: list[ShareChange] = field(default_factory=list)
    intents: list[dict[str, Any]] = field(default_factory=list)
    _arms: Arms = field(default_factory=dict)

    def seen(self, route: Mapping[str, Any]) -> None:
        """Take in one state of the AgentRoute."""
        spec = route["spec"]
        arms: dict[tuple[str, str], int] = defaultdict(int)
        for arm in spec["arms"]:
            arms[arm["cohort"], arm["version"]] += arm["share"]
        if dict(arms) == dict(self._arms):
            return
        intent = spec.get("intent") or {}
        heard = time.time()
        at = datetime.fromisoformat(intent["at"]).timestamp() if intent else heard
        self.changes.append(ShareChange(at, dict(self._arms), dict(arms), heard))
        self.intents.append(intent)
        self._arms = dict(arms)

    def decided(self, action: str, version: str) -> float | None:
        """When a decision about a version was taken, in seconds since the epoch."""
        for intent in reversed(self.intents):
            if intent.get("action") == action and intent.get("version") == version:
                return datetime.fromisoformat(intent["at"]).timestamp()
        return None


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the last table; ``holds`` decides the exit code."""

    what: str
    measured: str
    expected: str
    holds: bool


def read_ledger(kubectl: Kubectl) -> Ledger:
    """Every request the users made, fetched page by page from their pod."""
    ledger = Ledger()
    pod = f"/api/v1/namespaces/{kubectl.namespace}/pods/users:8080/proxy"
    while True:
        lines = kubectl.raw(f"{pod}/requests?since={len(ledger)}").splitlines()
        for line in lines:
            ledger.append(Row.from_json(json.loads(line)))
        if not lines:
            return ledger


def counted(
    kubectl: Kubectl, prometheus: str, agent: str, *, seconds: float
) -> dict[tuple[str, str, str], int]:
    """Tasks of the last so many seconds by (version, cohort, outcome) as the agents counted them, gone pods included."""
    query = (
        f'sum by (version, cohort, outcome) (last_over_time(agent_tasks_total{{agent="{agent}",'
        f'namespace="{kubectl.namespace}"}}[{seconds:.0f}s]))'
    )
    answer = json.loads(kubectl.raw(f"{prometheus}/api/v1/query?query={quote(query)}"))
    return {
        (m["version"], m["cohort"], m["outcome"]): int(float(value[1]))
        for m, value in ((row["metric"], row["value"]) for row in answer["data"]["result"])
        if float(value[1])
    }


def flip_seconds(ledger: Ledger, version: str, decided: float | None) -> tuple[float, int]:
    """(time from the decision to the start of the last request that still reached the version, requests after 1 s)."""
    if decided is None:
        return 0.0, 0
    late = started_after(ledger, version, decided)
    return max((row.routed - decided for row in late), default=0.0), sum(
        row.routed > decided + 1 for row in late
    )


def of_routing(ledger: Ledger, history: RouteHistory, *, crashing: str = "") -> list[Fact]:
    """What every user may expect of the router, whoever answers; what happens to those of a ``crashing`` version is that version's doing."""
    errors = [row for row in routing_errors(ledger) if not crashing or row.routed_version != crashing]
    moved = [
        move
        for move in changed_sides(ledger, history.changes)
        if not crashing or crashing not in (move.left[1], move.joined[1])
    ]
    strangers = misanswered(ledger)
    return [
        Fact("requests by users", f"{len(ledger)}", "at least 1,000", len(ledger) >= 1_000),
        Fact("routing errors", f"{len(errors)}", "0", not errors),
        Fact("answers by another version than the router named", f"{len(strangers)}", "0", not strangers),
        Fact("users who changed sides without a reason", f"{len(moved)}", "0", not moved),
    ]


def facts(
    ledger: Ledger,
    history: RouteHistory,
    counts: Counts,
    *,
    rolled_back: tuple[str, ...],
    crashing: str,
) -> list[Fact]:
    """Everything the demo promises, measured.

    What happens to users of the crashing version is the version's doing and not the router's: a pod that dies takes its
    requests with it, and its users meet the stable version until it is back. It is counted apart.
    """
    lost = [row for row in routing_errors(ledger) if row.routed_version == crashing]
    rows = [
        *of_routing(ledger, history, crashing=crashing),
        Fact(
            f"requests that died with a pod of {crashing}",
            f"{len(lost)}",
            "under 2% of all",
            len(lost) * 50 < len(ledger),
        ),
    ]
    for version in rolled_back:
        seconds, late = flip_seconds(ledger, version, history.decided("Rollback", version))
        rows.append(
            Fact(
                f"rollback of {version}: last request to it",
                f"{seconds * 1000:.0f} ms after",
                "within 1,000 ms",
                not late,
            )
        )
    rows.append(_counts(ledger, counts, crashing))
    return rows


def _counts(ledger: Ledger, counts: Counts, crashing: str) -> Fact:
    """Every arm and outcome must agree, but for tasks that died with their pod: their users got no answer to compare."""
    truth = {key: n for key, n in judged(ledger).items() if key[0] != crashing}
    return agreement(truth, {key: n for key, n in counts.items() if key[0] != crashing})


def judged(ledger: Ledger) -> dict[tuple[str, str, str], int]:
    """Tasks whose outcome their users know, by version, cohort and outcome."""
    return {key: n for key, n in outcomes(ledger).items() if key[2] != "none"}


def agreement(truth: Counts, counted: Counts) -> Fact:
    """Whether the agents counted what their users saw."""
    wrong = [
        f"{'/'.join(key)}: {truth.get(key, 0)} seen, {counted.get(key, 0)} counted"
        for key in sorted({*truth, *counted})
        if truth.get(key, 0) != counted.get(key, 0)
    ]
    said = "; ".join(wrong) or f"{sum(counted.values())} of {sum(truth.values())}"
    return Fact(
        "tasks counted against what users saw", said, "equal, by version, cohort and outcome", not wrong
    )
