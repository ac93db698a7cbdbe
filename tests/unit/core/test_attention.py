"""How soon a candidate is looked at again: sooner when its numbers have begun to speak against it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.core.decision import Hold
from tests.builders import climbing, evidence, later, look

INTERVAL = timedelta(seconds=10)
LIMIT = {"name": "failures", "failureRate": {"max": "15%"}}


def after(bad: int, *, of: int = 100, check: dict[str, Any] | None = None, **spec: Any) -> timedelta:
    """Until the next look at a candidate that failed so many of its tasks; it isn't taken out."""
    analysis = {"interval": "10s", "checks": [check or LIMIT]}
    s = later(climbing(analysis=analysis, **spec), seconds=10)
    counts = {("2.0.0", "candidate"): (of - bad, bad), ("1.0.0", "stable"): (970, 30)}
    decision, plan = look(replace(s, evidence=evidence(counts, s.now)))
    assert isinstance(decision, Hold), decision
    return plan.requeue_after


@pytest.mark.parametrize(
    ("bad", "seconds"), [(0, 10), (4, 10), (5, 1), (15, 1)], ids=["none", "few", "a third", "the limit"]
)
def test_from_a_third_of_the_limit_on_it_is_looked_at_every_second(bad: int, seconds: int) -> None:
    assert after(bad) == timedelta(seconds=seconds)


def test_too_few_tasks_say_nothing() -> None:
    assert after(9, of=10) == INTERVAL


def test_what_is_only_observed_asks_for_no_attention() -> None:
    assert after(15, check=LIMIT | {"dryRun": True}) == INTERVAL


def test_worse_than_allowed_and_not_yet_sure_is_looked_at_closely() -> None:
    success = {"name": "success", "successRate": {"maxDrop": "5%"}}
    assert after(4, of=40, check=success) == timedelta(seconds=1)
    assert after(7, of=100, check=success) == INTERVAL


def test_an_interval_as_short_as_a_close_look_stays() -> None:
    s = later(climbing(analysis={"interval": "1s", "checks": [LIMIT]}), seconds=10)
    assert look(s)[1].requeue_after == timedelta(seconds=1)


def test_the_failure_rate_of_a_self_tuning_candidate_counts_as_well() -> None:
    tuning = {"selfTuning": {"start": "5%", "minimumSamples": 20, "window": 100}}
    s = later(climbing(analysis={"interval": "10s"}, strategy=tuning), seconds=10)
    for bad, seconds in ((2, 10), (8, 1)):
        found = evidence({("2.0.0", "candidate"): (100 - bad, bad)}, s.now)
        assert look(replace(s, evidence=found))[1].requeue_after == timedelta(seconds=seconds)
