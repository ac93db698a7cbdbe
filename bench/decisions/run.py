"""All rollouts of a table, in parts that several processes share. What comes out doesn't depend on how many they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
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
Results: TypeAlias = dict[str, dict[str, Figures]]
"""Figures by scenario and rule."""


class Settings(NamedTuple):
    """How much is played. ``progress`` is told the name of each scenario that is done."""

    repetitions: int
    seed: int
    jobs: int = 1
    progress: Callable[[str], None] = lambda _: None


def successes(scenarios: Sequence[Scenario], settings: Settings) -> Results:
    """The figures of rollouts judged by success alone."""
    ends = _all(_played, scenarios, settings)
    return {
        scenario.name: {rule: summed(scenario, ends[scenario.name, rule]) for rule in RULES}
        for scenario in scenarios
    }


def metrics(scenarios: Sequence[MetricScenario], settings: Settings) -> Results:
    """The figures of rollouts judged by several metrics."""
    ends = _all(_watched, scenarios, settings)
    return {
        scenario.name: {rule: watched(scenario, ends[scenario.name, rule]) for rule in METRIC_RULES}
        for scenario in scenarios
    }


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
    work: Callable[[Kind, int, range], dict[str, list[Ending]]], scenarios: Sequence[Kind], settings: Settings
) -> dict[tuple[str, str], list[Ending]]:
    """By scenario and rule: the ends of all repetitions, in their order."""
    numbers = {scenario: chunks(repetitions_of(scenario, settings.repetitions)) for scenario in scenarios}
    parts = [(scenario, settings.seed, some) for scenario in scenarios for some in numbers[scenario]]
    answers = _mapped(work, parts, settings.jobs)
    ends: dict[tuple[str, str], list[Ending]] = {}
    for scenario in scenarios:
        for done in islice(answers, len(numbers[scenario])):
            for rule, some_ends in done.items():
                ends.setdefault((scenario.name, rule), []).extend(some_ends)
        settings.progress(scenario.name)
    return ends


def _mapped(
    work: Callable[[Kind, int, range], dict[str, list[Ending]]],
    parts: Sequence[tuple[Kind, int, range]],
    jobs: int,
) -> Iterator[dict[str, list[Ending]]]:
    if jobs < 2:
        yield from (work(*part) for part in parts)
        return
    with ProcessPoolExecutor(jobs) as processes:
        yield from processes.map(work, *zip(*parts, strict=True))


def repetitions_of(scenario: Scenario | MetricScenario, repetitions: int) -> int:
    """How many of the repetitions a scenario gets."""
    return max(1, round(repetitions * scenario.part))


def chunks(count: int) -> list[range]:
    """The numbers of the repetitions, in parts."""
    return [range(first, min(count, first + CHUNK)) for first in range(0, count, CHUNK)]
