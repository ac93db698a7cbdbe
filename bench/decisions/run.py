"""All rollouts of a scenario, in parts that several processes share. What comes out doesn't depend on how many they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple, TypeAlias, TypeVar

from bench.decisions.figures import Figures, summed, watched
from bench.decisions.metric_rollouts import MetricEnd, watch
from bench.decisions.metric_scenarios import MetricScenario
from bench.decisions.metric_streams import MetricStream
from bench.decisions.rollouts import End, play
from bench.decisions.rules import METRIC_RULES, RULES
from bench.decisions.scenarios import Scenario
from bench.decisions.streams import Stream

CHUNK = 20
"""Rollouts of one part: large enough for what they share, small enough that processes end together."""

Kind = TypeVar("Kind", Scenario, MetricScenario)
Ending = TypeVar("Ending", End, MetricEnd)
ByRule: TypeAlias = dict[str, Figures]
Results: TypeAlias = dict[str, ByRule]
"""Figures by scenario and rule."""


class Settings(NamedTuple):
    """How much is played, and by how many processes."""

    repetitions: int
    seed: int
    jobs: int = 1


def success(scenario: Scenario, settings: Settings) -> ByRule:
    """The figures of rollouts judged by success alone."""
    return {rule: summed(scenario, ends) for rule, ends in _all(_played, scenario, settings).items()}


def metrics(scenario: MetricScenario, settings: Settings) -> ByRule:
    """The figures of rollouts judged by several metrics."""
    return {rule: watched(scenario, ends) for rule, ends in _all(_watched, scenario, settings).items()}


def _played(scenario: Scenario, seed: int, numbers: range) -> dict[str, list[End]]:
    """By rule. Every rule meets the same rollouts."""
    streams = [Stream(scenario, seed, number) for number in numbers]
    return {rule: [play(scenario, stream, make()) for stream in streams] for rule, make in RULES.items()}


def _watched(scenario: MetricScenario, seed: int, numbers: range) -> dict[str, list[MetricEnd]]:
    """By rule. Every rule meets the same rollouts."""
    streams = [MetricStream(scenario, seed, number) for number in numbers]
    return {
        rule: [watch(scenario, stream, make()) for stream in streams] for rule, make in METRIC_RULES.items()
    }


def _all(
    work: Callable[[Kind, int, range], dict[str, list[Ending]]], scenario: Kind, settings: Settings
) -> dict[str, list[Ending]]:
    """By rule: the ends of all repetitions, in their order."""
    numbers = chunks(settings.repetitions)
    part = partial(work, scenario, settings.seed)
    if settings.jobs < 2:
        return _joined(map(part, numbers))
    with ProcessPoolExecutor(settings.jobs) as processes:
        return _joined(processes.map(part, numbers))


def _joined(parts: Iterable[dict[str, list[Ending]]]) -> dict[str, list[Ending]]:
    ends: dict[str, list[Ending]] = {}
    for done in parts:
        for rule, some in done.items():
            ends.setdefault(rule, []).extend(some)
    return ends


def chunks(count: int) -> list[range]:
    """The numbers of the repetitions, in parts."""
    return [range(first, min(count, first + CHUNK)) for first in range(0, count, CHUNK)]
