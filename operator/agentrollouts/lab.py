"""The decision path as a plug-in for simulations that judge decision rules: one simulated rollout for each instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.latency import Latency
from agentrollouts.core.sequential.measure import Block, Measure, Sums
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.standing import Budget, standing
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, Trial, begun, looked

Observation = Mapping[str, Any]
COHORTS = ("canary", "control", "stable")


def factory(settings: Mapping[str, Any]) -> Callable[[Observation], str]:
    """A rule on success alone: 'hold', 'advance' or 'rollback' for each look at the cumulative sums."""
    criteria = (Criterion("success", Success(0.0, settings["margin"]), 1.0),)
    budget = Budget(settings["alpha"], settings["beta"])
    stages = len(settings["stages"])
    trial: Trial | None = None

    def decide(seen: Observation) -> str:
        nonlocal trial
        numbers, totals, squares = seen["un"], seen["us"], seen["uq"]
        now = Cohorts(*[_successes(numbers[at], totals[at], squares[at]) for at in COHORTS])
        if trial is None:
            trial = begun(criteria, now)
            return "hold"
        trial = looked(criteria, trial, now, for_people=False)
        stands = standing(criteria, trial)
        if stands.rolls_back(budget):
            return "rollback"
        return "hold" if stands.lacking(budget.in_favour(seen["stage"] + 1, stages)) else "advance"

    return decide


def metrics_factory(settings: Mapping[str, Any]) -> Callable[[Observation], Mapping[str, Any]]:
    """A rule on five metrics and the split of the callers: a verdict and the metric to blame."""
    tolerance, promote, weights, cap = (settings[key] for key in ("tol", "promote", "weights", "cap"))
    measures: dict[str, Measure] = {
        "success": Success(tolerance["success"], promote["success"]),
        "cost": Cost(tolerance["cost"], promote["cost"]),
        "latency": Latency(tolerance["latency"], promote["latency"]),
        "tools": Mix(tolerance["tools"]),
        "refusal": Events(tolerance["refusal"], promote["refusal"]),
    }
    criteria = tuple(Criterion(name, measure, weights[name]) for name, measure in measures.items())
    budget = Budget(settings["alpha"], settings["beta"])
    trial: Trial | None = None
    shares: tuple[float, ...] = ()

    def decide(seen: Observation) -> Mapping[str, Any]:
        nonlocal trial, shares
        now = Cohorts(*(_reading(seen["cohorts"][cohort], cap) for cohort in COHORTS))
        present = tuple(seen["weights"][cohort] for cohort in COHORTS)
        if trial is None:
            trial, shares = begun(criteria, now), present
            return {"verdict": "hold", "blame": None}
        trial = looked(criteria, trial, now, present if present == shares else (), for_people=False)
        shares = present
        stands = standing(criteria, trial)
        if stands.is_split_wrongly:
            return {"verdict": "alert_split", "blame": "split"}
        if stands.rolls_back(budget):
            worst = max(range(len(criteria)), key=lambda at: stands.weights[at] * stands.worse[at])
            return {"verdict": "rollback", "blame": criteria[worst].name}
        lacking = stands.lacking(budget.in_favour(1, 1))
        return {"verdict": "hold" if lacking else "advance", "blame": None}

    return decide


def _successes(n: float, total: float, squares: float) -> Reading:
    return Reading((Block(float(n), {"total": float(total), "squares": float(squares)}),))


def _reading(cohort: Mapping[str, Any], cap: float) -> Reading:
    n, success = cohort["n"], cohort["success"]
    sums: tuple[Sums, ...] = (
        {"total": success, "squares": success},
        {"total": cohort["cost"] / cap, "squares": cohort["cost2"] / cap**2},
        {_name(edge): below for edge, below in cohort["le"].items()},
        cohort["tools"],
        {"total": cohort["refusals"]},
    )
    return Reading(tuple([Block(n, part) for part in sums]), cohort["routed"])


@cache
def _name(edge: float) -> str:
    return str(edge)
