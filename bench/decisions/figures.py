"""What the ends of many rollouts come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bench.decisions.metric_rollouts import MetricEnd
from bench.decisions.metric_scenarios import MetricScenario
from bench.decisions.rollouts import End
from bench.decisions.scenarios import Scenario
from bench.quantile import quantile


class Figures(NamedTuple):
    """One rule in one scenario. Shares are of all rollouts; None where the truth makes them meaningless."""

    repetitions: int
    stopped: float
    promoted: float
    undecided: float
    false_rollback: float | None
    bad_promoted: float | None
    right: float | None
    median: float | None
    """The candidate's tasks until the right decision, of the rollouts that came to it."""
    p95: float | None
    seconds: float
    looks: int
    blames: dict[str, float]
    """By metric that a rollout was stopped for."""


def summed(scenario: Scenario, ends: Sequence[End]) -> Figures:
    """Of rollouts judged by success alone. A rollback before a version turns bad is a false one."""
    early = [end.decision == "rollback" and end.tick < scenario.onset for end in ends]
    truth = scenario.truth
    wanted = {"bad": "rollback", "good": None if scenario.gated else "promotion", "between": None}[truth]
    right = [
        end for end, was_early in zip(ends, early, strict=True) if end.decision == wanted and not was_early
    ]
    tasks = [end.tasks - scenario.onset * scenario.rate for end in right] if wanted else []
    stopped = _share([end.decision == "rollback" for end in ends])
    promoted = _share([end.decision == "promotion" for end in ends])
    return Figures(
        repetitions=len(ends),
        stopped=stopped,
        promoted=promoted,
        undecided=_share([end.decision is None for end in ends]),
        false_rollback=stopped if truth == "good" else _share(early) if scenario.onset else None,
        bad_promoted=promoted if truth == "bad" else None,
        right=len(right) / len(ends) if wanted else None,
        median=_quantile(tasks, 0.5),
        p95=_quantile(tasks, 0.95),
        seconds=sum(end.seconds for end in ends),
        looks=sum(end.looks for end in ends),
        blames={},
    )


def watched(scenario: MetricScenario, ends: Sequence[MetricEnd]) -> Figures:
    """Of rollouts judged by several metrics. ``promoted`` are those that could have advanced, had nobody waited."""
    right = [end for end in ends if end.blame in scenario.blame]
    stopped = _share([end.blame is not None for end in ends])
    advanced = _share([end.advanced is not None for end in ends])
    return Figures(
        repetitions=len(ends),
        stopped=stopped,
        promoted=advanced,
        undecided=1.0 - stopped,
        false_rollback=None if scenario.blame else stopped,
        bad_promoted=advanced if scenario.blame else None,
        right=len(right) / len(ends) if scenario.blame else None,
        median=_quantile([end.tasks for end in right], 0.5),
        p95=_quantile([end.tasks for end in right], 0.95),
        seconds=sum(end.seconds for end in ends),
        looks=sum(end.looks for end in ends),
        blames={
            name: _share([end.blame == name for end in ends])
            for name in sorted({end.blame for end in ends if end.blame})
        },
    )


def _share(those: Sequence[bool]) -> float:
    return sum(those) / len(those)


def _quantile(tasks: Sequence[float], share: float) -> float | None:
    return quantile(tasks, share) if tasks else None
