"""Closed sessions as agents report them, and a rollout that is tried by them: what the operator's shell does, without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from agentrollouts.api.rollout_status import TrialStatus
from agentrollouts.core.decision import Decision
from agentrollouts.core.evidence import Arm, Cell, Evidence, Totals
from agentrollouts.core.plan import Plan
from agentrollouts.core.sequential.trial import Trial
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.trials import advanced, resumed, terms_of
from tests.builders import START, carry_out, climbing, later, look

CANDIDATE, CONTROL, STABLE = (
    Arm("2.0.0", "candidate"),
    Arm("1.0.0", "control"),
    Arm("1.0.0", "stable"),
)
SEQUENTIAL = {"mode": "sequential"}


def closed(
    n: float, good: float | None = None, *, events: Mapping[str, float] | None = None
) -> dict[Cell, float]:
    """``n`` sessions, ``good`` of them all success; the others failed. All are alike in everything else."""
    good = n if good is None else good
    happened = {"tool_failure": 0.0, "thumbs_down": 0.0, **(events or {})}
    return {
        Cell("agent_sessions_closed_total", "idle"): n,
        Cell("agent_session_success_fraction_total"): good,
        Cell("agent_session_success_fraction_squares_total"): good,
        Cell("agent_session_outcome_fraction_total", "success"): good,
        Cell("agent_session_outcome_fraction_total", "failure"): n - good,
        Cell("agent_session_outcome_fraction_total", "refused"): 0.0,
        Cell("agent_session_outcome_fraction_total", "escalated"): 0.0,
        Cell("agent_session_capped_cost_fraction_total", "1"): n * 0.02,
        Cell("agent_session_capped_cost_fraction_squares_total", "1"): n * 0.0005,
        Cell("agent_session_capped_cost_fraction_total", "0.1"): n * 0.2,
        Cell("agent_session_capped_cost_fraction_squares_total", "0.1"): n * 0.05,
        Cell("agent_session_latency_fraction_total", "1"): n * 0.5,
        Cell("agent_session_latency_fraction_total", "5"): n * 0.9,
        Cell("agent_session_latency_fraction_total", "+Inf"): n,
        Cell("agent_session_tool_fraction_total", "none"): n,
        Cell("agent_session_llm_calls_fraction_total"): n * 0.1,
        Cell("agent_session_llm_calls_fraction_squares_total"): n * 0.02,
        Cell("agent_tasks_total", "success"): 3.0 * good,
        Cell("agent_tasks_total", "failure"): 3.0 * (n - good),
        **{Cell("agent_session_event_fraction_total", name): amount for name, amount in happened.items()},
    }


def scored(n: float, mean: float, name: str = "toxicity") -> dict[Cell, float]:
    """Sessions that all have this score."""
    return closed(n) | {
        Cell("agent_session_scores_total", name): n,
        Cell("agent_session_score_sum_total", name): n * mean,
        Cell("agent_session_score_squares_total", name): n * mean * mean,
    }


def plus(one: Totals, other: Totals) -> dict[Cell, float]:
    """Both together."""
    return {cell: one.get(cell, 0.0) + other.get(cell, 0.0) for cell in {**one, **other}}


def told(totals: Mapping[Arm, Totals], before: Mapping[Arm, Totals] | None = None, **fields: Any) -> Evidence:
    """Evidence with these sums."""
    return Evidence(total=totals, recent=totals, as_of=START, before=before or {}, **fields)


@dataclass
class Tried:
    """A rollout at its first share, and the trial as a running operator keeps it between two looks."""

    snapshot: Snapshot
    trial: Trial | None = None
    totals: dict[Arm, dict[Cell, float]] = field(default_factory=dict)
    before: dict[Arm, dict[Cell, float]] = field(default_factory=dict)
    grew: float = 0.0
    """When anything was last counted, in seconds since the epoch; 0: just now."""

    @classmethod
    def begun(cls, *, history: float = 400, analysis: Mapping[str, Any] | None = None, **spec: Any) -> Tried:
        """2.0.0 has its first share beside 1.0.0, which has had so many sessions before, 97 of 100 all success."""
        tried = cls(climbing(analysis={**SEQUENTIAL, **(analysis or {})}, **spec))
        tried.before = {STABLE: closed(history, 0.97 * history)}
        tried.totals = {CANDIDATE: closed(0), CONTROL: closed(0), STABLE: closed(0)}
        tried.look()
        return tried

    def add(self, arm: Arm, n: float, good: float | None = None, **more: Any) -> None:
        """More sessions of an arm."""
        self.totals[arm] = plus(self.totals.get(arm, {}), closed(n, good, **more))

    def draw(self, chance: Random, rates: Mapping[Arm, float], many: Mapping[Arm, int]) -> None:
        """Some minutes' sessions."""
        for arm, n in many.items():
            self.add(arm, n, sum(chance.random() < rates[arm] for _ in range(n)))

    def seen(self) -> Snapshot:
        """The snapshot of one look at the sums; the trial goes on, from the status where there is none."""
        s = self.snapshot
        candidate, stable = s.status.candidate, s.status.stable
        assert candidate is not None
        assert stable is not None
        totals = {arm: dict(cells) for arm, cells in self.totals.items()}
        found = told(totals, self.before, grew=dict.fromkeys(totals, self.grew or s.now.timestamp()))
        terms = terms_of(s.spec, candidate.version, stable.version)
        assert terms is not None
        self.trial = advanced(terms, self.trial or resumed(terms, candidate.trial), found)
        return replace(s, evidence=replace(found, trial=self.trial))

    def look(self, **delta: float) -> tuple[Decision, Plan]:
        """One look some time later, carried out."""
        self.snapshot = later(self.snapshot, **(delta or {"seconds": 2}))
        s = self.seen()
        decision, plan = look(s)
        self.snapshot = carry_out(s, plan)
        return decision, plan

    def restarted(self) -> Tried:
        """The same rollout in a new operator, which knows what the status and the counters tell."""
        return Tried(self.snapshot, None, self.totals, self.before)

    @property
    def record(self) -> TrialStatus | None:
        """The trial as the status has it."""
        return self.snapshot.status.candidate.trial if self.snapshot.status.candidate else None
