"""What a rollout's analysis reads in sequential mode, and what counts as a sample."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.analysis import queries, sample_metric
from agentrollouts.core.counters import KIT, SESSION_LENGTH, SESSION_TOPICS
from agentrollouts.core.monitor.behavior import READ
from tests.builders import spec
from tests.sessions import SEQUENTIAL

SUCCESS = {"name": "success", "successRate": {}}
COST = {"name": "cost", "cost": {}}


def analysed(*checks: dict[str, Any], **fields: Any) -> RolloutSpec:
    return spec("2.0.0", analysis={**SEQUENTIAL, "checks": list(checks)}, **fields)


def test_what_the_kit_reports_is_one_bundle() -> None:
    found = queries(spec("2.0.0", analysis=SEQUENTIAL))
    assert {query.bundle for query in found} == {KIT}
    assert len(found) == len(set(found))


def test_samples_are_closed_sessions_whatever_the_checks() -> None:
    score = {"name": "s", "score": {"name": "toxicity", "better": "lower"}}
    for checks in ([SUCCESS], [score], [COST, score]):
        assert sample_metric(analysed(*checks)) == "agent_sessions_closed_total"


def test_of_counters_of_your_own_the_one_of_all_events() -> None:
    ratio = {"name": "own", "ratio": {"bad": "bad_total", "total": "all_total", "max": "1%"}}
    assert sample_metric(analysed(ratio)) == "all_total"
    assert [query.metric for query in queries(analysed(ratio))] == ["all_total", "bad_total"]


def test_a_self_tuning_rollout_with_checks_reads_outcomes_as_well() -> None:
    tuned = analysed(SUCCESS, strategy={"selfTuning": {}})
    assert {"agent_tasks_total", "agent_sessions_closed_total"} <= {query.metric for query in queries(tuned)}


def test_a_self_tuning_rollout_reads_outcomes_beside_counters_of_your_own() -> None:
    own = {"name": "own", "ratio": {"bad": "bad_total", "total": "all_total", "max": "1%"}}
    found = [query.metric for query in queries(analysed(own, strategy={"selfTuning": {}}))]
    assert found == ["all_total", "bad_total", "agent_tasks_total"]


def test_in_threshold_mode_nothing_changes() -> None:
    analysis = {"mode": "threshold", "checks": [SUCCESS]}
    found = queries(spec("2.0.0", analysis=analysis, monitor={"enabled": False}))
    assert [query.metric for query in found] == ["agent_tasks_total"]


@pytest.mark.parametrize("mode", ["sequential", "threshold"])
def test_what_a_profile_is_taken_of_comes_in_the_same_answer(mode: str) -> None:
    analysis = {"mode": mode, "checks": [SUCCESS]}
    found = queries(spec("2.0.0", analysis=analysis))
    assert set(READ) <= set(found)
    assert {query.bundle for query in found} == {KIT}
    unwatched = queries(spec("2.0.0", analysis=analysis, monitor={"enabled": False}))
    assert not {SESSION_TOPICS, SESSION_LENGTH} & set(unwatched)
