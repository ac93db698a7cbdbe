"""The monitor's promise, by simulation with fixed seeds: the same behaviour raises no alarm, another one is found."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.api.monitor import MonitorSpec
from agentrollouts.core.evidence import Cell
from agentrollouts.core.monitor.behavior import Behavior, behavior_of, behavior_then, profile_of
from agentrollouts.core.monitor.chance import of_means, of_mixes
from agentrollouts.core.monitor.signals import Finding, compared
from tests.builders import START
from tests.sessions import plus
from tests.unit.core.monitor.behaving import USUAL, Way

LEAST = MonitorSpec.model_validate(dict.fromkeys(("toolMix", "topicMix", "responseLength", "events"), "1%"))
"""Limits so low that chance alone would break them at nearly every look: what keeps quiet then is the radius."""
LOOKS, STEP, WINDOW = 200, 25, 16
MANY_RARE = {"lookup": 0.4, **{f"tool-{n}": 0.01 for n in range(60)}}
"""The mix that chance moves the most: a long tail, most of which a small profile has never seen."""
WAYS = [USUAL, USUAL.but(tools=MANY_RARE), USUAL.but(refusal=0.5, thumbsDown=0.3, length=0.01)]


def behavior(sums: dict[Cell, float]) -> Behavior:
    found = behavior_of(sums)
    assert found is not None
    return found


def looks(
    now: Way, seed: int, spec: MonitorSpec, *, then: Way = USUAL, n: int = 300
) -> Iterator[tuple[Finding, ...]]:
    """A month in small: a profile of so many sessions, and a window of 400 that slides over new ones; drifts are remembered."""
    chance = Random(seed)
    profile = behavior_then(profile_of(behavior(then.drawn(chance, n)), START))
    window = deque((now.drawn(chance, STEP) for _ in range(WINDOW)), maxlen=WINDOW)
    drifting: set[str] = set()
    for _ in range(LOOKS):
        window.append(now.drawn(chance, STEP))
        sums: dict[Cell, float] = {}
        for part in window:
            sums = plus(sums, part)
        found = compared(spec, profile, behavior(sums), drifting)  # type: ignore[arg-type]
        drifting = {one.signal for one in found if one.drifting}
        yield found


@pytest.mark.parametrize("way", WAYS, ids=["usual", "long tail", "extreme"])
def test_the_same_behaviour_raises_no_alarm_over_two_hundred_looks(way: Way) -> None:
    """Promised are less than 1 in 5000 of such months: one alarm in twelve of them would be a broken promise."""
    noisy = 0
    for seed in range(12):
        found = [one for look in looks(way, seed, LEAST, then=way) for one in look]
        assert not [one.sentence for one in found if one.drifting]
        noisy += any(one.moved > one.allowed for one in found)
    assert noisy == 12, "without the radius every one of them would have raised one"


@pytest.mark.parametrize(
    ("now", "signal"),
    [
        (USUAL.but(tools={"lookup": 0.1, "delete_account": 0.75, "search": 0.1, "none": 0.05}), "toolMix"),
        (USUAL.but(topics={"billing": 0.05, "weapons": 0.75, "returns": 0.2}), "topicMix"),
        (USUAL.but(length=0.45), "responseLength"),
        (USUAL.but(refusal=0.4), "refusal"),
        (USUAL.but(takeover=0.4), "takeover"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_behaviour_is_found_and_nothing_else(now: Way, signal: str) -> None:
    for seed in range(4):
        found = list(looks(now, seed, MonitorSpec()))
        assert {one.signal for look in found for one in look if one.drifting} == {signal}
        assert sum(any(one.drifting for one in look) for look in found) > 0.9 * LOOKS


def draws(seed: int, values: list[list[float]], n: int) -> Iterator[tuple[list[float], list[float]]]:
    """The means by component of the two parts of a population, drawn without replacement again and again."""
    chance = Random(seed)
    for _ in range(400):
        chance.shuffle(values)
        yield tuple(  # type: ignore[misc]
            [sum(part) / len(side) for part in zip(*side, strict=True)] for side in (values[:n], values[n:])
        )


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(20, 120),
    more=st.integers(20, 120),
    rare=st.floats(0.0, 0.5),
    size=st.floats(0.01, 1.0),
)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_no_two_parts_of_one_population_are_further_apart_than_chance_allows(
    seed: int, n: int, more: int, rare: float, size: float
) -> None:
    """Heavy tails and long ones: a few sessions that are all, and many names."""
    chance = Random(seed)
    numbers = [[size if chance.random() < rare else 0.1 * size * chance.random()] for _ in range(n + more)]
    mean = sum(x for (x,) in numbers) / len(numbers)
    variance = sum((x - mean) ** 2 for (x,) in numbers) / len(numbers)
    radius = of_means((n, more), variance)
    assert all(abs(one[0] - other[0]) <= radius for one, other in draws(seed, numbers, n))
    names = [chance.randrange(1, 30) if chance.random() < rare else 0 for _ in range(n + more)]
    mixes = [[float(name == at) for at in range(30)] for name in names]
    pooled = [sum(part) / len(mixes) for part in zip(*mixes, strict=True)]
    within = of_mixes((n, more), pooled)
    for one, other in draws(seed, mixes, n):
        assert sum(abs(a - b) for a, b in zip(one, other, strict=True)) / 2 <= within


def test_more_sessions_see_smaller_changes() -> None:
    radii = [of_means((n, n), 0.05) for n in (200, 2_000, 20_000)]
    mixes = [of_mixes((n, n), [0.2] * 5) for n in (200, 2_000, 20_000)]
    for found in (radii, mixes):
        assert found == sorted(found, reverse=True)
        assert found[-1] < 0.06
