"""A record belongs to the criteria it was written under, and doesn't outgrow the status."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any
from zlib import crc32

import pytest

from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.events import Events
from agentrollouts.core.sequential.latency import Latency
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Block, Measure
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.record import read, written
from agentrollouts.core.sequential.success import Success
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, Trial, begun, looked

SUMS: dict[Measure, dict[str, float]] = {
    Success(): {"total": 0.9, "squares": 0.85},
    Cost(): {"total": 0.2, "squares": 0.06},
    Events(): {"total": 0.01},
    Latency(): {"0.5": 0.4, "1": 0.8, "2": 0.9, "+Inf": 1.0},
    Mix(): {"ask": 0.6, "buy": 0.4},
    Limit(0.1): {"total": 0.05},
}


def criteria(*measures: Measure) -> tuple[Criterion, ...]:
    return tuple(Criterion(type(measure).__name__, measure, 0.1) for measure in measures)


def trial_of(*measures: Measure, history: float = 90.0, looks: int = 3) -> Trial:
    """Candidate and control have gained ten units by each look, and stable ninety."""

    def cohorts(look: float) -> Cohorts:
        counts = (10.0 * look, 10.0 * look, history + 90.0 * look)
        return Cohorts(
            *(
                Reading(
                    tuple(
                        Block(n, {name: n * part for name, part in SUMS[measure].items()})
                        for measure in measures
                    )
                )
                for n in counts
            )
        )

    trial = begun(criteria(*measures), cohorts(0.0))
    for look in range(1, looks + 1):
        trial = looked(criteria(*measures), trial, cohorts(look))
    return trial


@pytest.mark.parametrize(("history", "looks"), [(0.0, 0), (0.0, 3), (90.0, 0), (90.0, 3)])
def test_text_of_other_criteria_is_no_trial(history: float, looks: int) -> None:
    for one in SUMS:
        assert read(written(trial_of(one, history=history, looks=looks)), criteria(one)) is not None
    for one, other in permutations(SUMS, 2):
        assert read(written(trial_of(one, history=history, looks=looks)), criteria(other)) is None
    text = written(trial_of(*SUMS))
    assert read(text, criteria(*SUMS)) == trial_of(*SUMS)
    assert read(text, criteria(*list(SUMS)[:-1])) is None
    assert read(text, criteria(*SUMS, Limit(0.2))) is None
    assert read(text, criteria(*reversed(SUMS))) is None


def put(at: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda parts: parts.__setitem__(at, value)


def within(at: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """The first criterion's first part changed."""
    return lambda parts: parts[at][0].__setitem__(0, value)


@pytest.mark.parametrize(
    "change",
    [
        put("assigned", [1.0, 2.0]),
        put("alike", [1.0]),
        put("alike", [1.0, True]),
        put("alike", [1.0, "2"]),
        put("apart", 1),
        put("alone", [False]),
        put("alone", [0] * 6),
        put("split", [0.0, [0.5, 0.5], [1.0]]),
        put("seen", []),
        put("courses", None),
        within("courses", None),
        within("courses", "x"),
        within("courses", -1),
        within("seen", [1.0]),
        within("seen", [None, {}]),
        within("seen", [1.0, {"total": float("nan")}]),
        within("seen", [float("inf"), {}]),
        within("seen", [10**400, {}]),
    ],
)
def test_a_record_of_another_form_is_no_trial(change: Callable[[dict[str, Any]], None]) -> None:
    """Also where the checksum is right: another release may have written it."""
    parts = json.loads(written(trial_of(*SUMS))[8:])
    assert read(sealed(parts), criteria(*SUMS)) == trial_of(*SUMS)
    change(parts)
    assert read(sealed(parts), criteria(*SUMS)) is None


def sealed(parts: dict[str, Any]) -> str:
    body = json.dumps(parts, separators=(",", ":"))
    return f"{crc32(body.encode()):08x}{body}"
