"""Our own rules as the operator runs them, reached by the plug-ins of ``agentrollouts.lab``."""

from __future__ import annotations

from typing import cast

from agentrollouts.lab import factory, metrics_factory
from bench.decisions.metric_rollouts import Answer as MetricAnswer
from bench.decisions.metric_rollouts import MetricLook, MetricRule
from bench.decisions.metric_scenarios import (
    CAP,
    COHORTS,
    EDGES,
    MARGINS,
    TOLERANCES,
    TOOLS,
    WEIGHTS,
)
from bench.decisions.metric_streams import Sums
from bench.decisions.rollouts import Answer, Look, Rule
from bench.decisions.scenarios import ERROR, MARGIN, STEPS


def sequential() -> Rule:
    """Exact sequential tests on sessions, candidate against control and stable."""
    decide = factory({"alpha": ERROR, "beta": ERROR, "margin": MARGIN, "stages": STEPS})

    def rule(look: Look) -> Answer:
        seen = {
            "tick": look.tick,
            "stage": look.step,
            "un": dict(zip(COHORTS, look.sessions, strict=True)),
            "us": dict(zip(COHORTS, look.fractions, strict=True)),
            "uq": dict(zip(COHORTS, look.squares, strict=True)),
        }
        return cast("Answer", decide(seen))

    return rule


def sequential_metrics() -> MetricRule:
    """Exact sequential tests of five metrics and of the split of the callers, under one error budget."""
    decide = metrics_factory(
        {
            "alpha": ERROR,
            "beta": ERROR,
            "cap": CAP,
            "tol": TOLERANCES,
            "promote": MARGINS,
            "weights": WEIGHTS,
        }
    )

    def rule(look: MetricLook) -> MetricAnswer:
        cohorts = {
            cohort: _cohort(Sums.of(row), assigned)
            for cohort, row, assigned in zip(COHORTS, look.seen.rows, look.seen.assigned, strict=True)
        }
        weights = dict(zip(COHORTS, look.shares, strict=True))
        answer = decide({"tick": look.tick, "weights": weights, "cohorts": cohorts})
        return MetricAnswer(answer["verdict"], answer["blame"])

    return rule


def _cohort(sums: Sums, assigned: float) -> dict[str, object]:
    """A tool is there from its first call on."""
    return {
        "n": sums.n,
        "success": sums.success,
        "cost": sums.cost * CAP,
        "cost2": sums.squares * CAP**2,
        "le": dict(zip(EDGES, sums.below, strict=True)),
        "tools": {name: part for name, part in zip(TOOLS, sums.tools, strict=True) if part > 0.0},
        "refusals": sums.refusals,
        "routed": assigned,
    }
