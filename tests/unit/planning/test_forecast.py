from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.planning.forecast import Ending, Prospect, forecast, prospect, quantile
from agentrollouts.planning.limits import findings, limits, warnings
from agentrollouts.planning.spans import lasting
from agentrollouts.planning.world import World
from tests.builders import spec

WEEK = timedelta(days=7)
MODES = ("sequential", "threshold")
SUCCESS: list[dict[str, Any]] = [{"name": "success", "successRate": {}}]


def rollout(mode: str = "sequential", **analysis: Any) -> Any:
    strategy = {"steps": [{"share": "10%", "soak": "10m"}, {"share": "50%", "soak": "20m"}]}
    return spec("2.0.0", strategy=strategy, analysis={"mode": mode, "checks": SUCCESS, **analysis})


@pytest.mark.parametrize("mode", MODES)
def test_the_worse_a_candidate_the_sooner_it_is_caught(mode: str) -> None:
    found = forecast(rollout(mode, margin="10%"), World(60.0), runs=12, seed=3)
    good, small, medium, large = found.prospects
    assert found.as_good is good
    assert good.promoted >= 0.75
    assert large.rolled_back == 1.0
    assert large.caught.median is not None
    assert medium.caught.median is not None
    assert large.caught.median < medium.caught.median
    assert small.effect == -0.05
    for each in found.prospects:
        assert each.promoted + each.rolled_back + each.paused + each.unfinished == pytest.approx(1.0)


def test_the_same_seed_is_the_same_forecast_however_runs_are_spread() -> None:
    def threads(one: Callable[[str], Ending], seeds: Iterable[str]) -> Iterable[Ending]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(one, seeds))

    alone, spread = (
        forecast(rollout(), World(60.0), runs=4, effects=(-0.3,), spread=how) for how in (map, threads)
    )
    other = forecast(rollout(), World(60.0), runs=4, effects=(-0.3,), seed=2)
    assert alone == spread
    assert alone != other


def ended(outcome: Any, minutes: float, **fields: Any) -> Ending:
    defaults: dict[str, Any] = {
        "excess": 0.0,
        "reached": {},
        "waited": {},
        "held_by": {},
        "reason": "X",
        "message": "m",
    }
    return Ending(outcome, timedelta(minutes=minutes), **{**defaults, **fields})


def test_what_never_comes_is_later_than_everything() -> None:
    found = prospect(-0.1, [ended("RolledBack", 5), ended("RolledBack", 9), ended("Unfinished", 99)])
    assert found.caught.median == timedelta(minutes=9)
    assert found.caught.most is None
    assert found.promotion == (None, None)
    assert found.rolled_back == pytest.approx(2 / 3)
    assert found.sentence == "m"


def test_waits_are_means_over_all_runs() -> None:
    found = prospect(
        0.0,
        [
            ended("Promoted", 10, waited={(500, "Soaking"): timedelta(minutes=10)}),
            ended("Promoted", 20, waited={(500, "GatheringEvidence"): timedelta(minutes=20)}),
        ],
    )
    assert found.waited == {
        (500, "Soaking"): timedelta(minutes=5),
        (500, "GatheringEvidence"): timedelta(minutes=10),
    }


def test_quantiles_are_values_that_occurred() -> None:
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.9) == 4.0
    assert quantile([7.0], 0.5) == 7.0


def waiting(**waits: tuple[int, float]) -> Prospect:
    waited = {(share, reason): timedelta(minutes=minutes) for reason, (share, minutes) in waits.items()}
    return prospect(0.0, [ended("Promoted", 1, waited=waited, held_by={"cost": timedelta(minutes=50)})])


def test_what_takes_longest_comes_first_and_trifles_are_left_out() -> None:
    found = limits(
        waiting(
            Soaking=(500, 20), StepDone=(2000, 1), GatheringEvidence=(5000, 60), ApprovalNeeded=(5000, 0.5)
        )
    )
    assert [(limit.what, limit.share, limit.time) for limit in found] == [
        ("evidence", 5000, timedelta(minutes=60)),
        ("soak", 500, timedelta(minutes=21)),
    ]
    assert "held by cost for 50m" in found[0].sentence
    assert "20%" not in found[1].sentence


def test_a_pause_is_no_wait() -> None:
    found = limits(waiting(Soaking=(500, 20), NoEvidence=(500, 9000)))
    assert [(limit.what, limit.time) for limit in found] == [("soak", timedelta(minutes=20))]
    assert found[0].sentence.startswith("20m of 20m")


def test_soak_samples_and_traffic_that_dont_fit_are_told() -> None:
    found = warnings(spec("2.0.0", analysis={"mode": "sequential"}), World(2.0), WEEK)
    assert found[0] == "soak 15m at 5% of 2 sessions/min brings 1.5 sessions; minimumSessions 20 needs 3h20m"
    assert found[1].startswith("noEvidenceDeadline 1h is shorter than the 3h5m")
    assert found[1].endswith("the candidate pauses")


def test_samples_of_the_quality_gate_are_tasks() -> None:
    found = warnings(spec("2.0.0", analysis={"mode": "threshold"}), World(2.0), WEEK)
    assert found == ("soak 15m at 5% of 2 sessions/min brings 4.5 tasks; minimumSessions 20 needs 1h7m",)


@pytest.mark.parametrize(
    ("analysis", "ending"),
    [({"onNoEvidence": "Rollback"}, "is rolled back"), ({"onNoEvidence": "Hold"}, None)],
)
def test_the_deadline_does_what_the_spec_says(analysis: dict[str, str], ending: str | None) -> None:
    found = warnings(spec("2.0.0", analysis={"mode": "sequential", **analysis}), World(2.0), WEEK)
    told = [sentence for sentence in found if sentence.startswith("noEvidenceDeadline")]
    assert [sentence.endswith(str(ending)) for sentence in told] == ([True] if ending else [])


def test_shares_too_small_and_soaks_too_long_are_told() -> None:
    strategy = {"steps": [{"share": "0.5%", "soak": "200h", "minimumSessions": 0}]}
    found = warnings(spec("2.0.0", strategy=strategy, analysis={"mode": "sequential"}), World(1.0), WEEK)
    assert found == (
        "0.5% of 1 sessions/min is 0.3 sessions an hour: a step this small shows hardly anything",
        "the soaks alone take 8d8h, and the horizon is 7d",
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_plan_with_enough_traffic_has_no_warning(mode: str) -> None:
    assert warnings(spec("2.0.0", analysis={"mode": mode}), World(200.0), WEEK) == ()


def test_a_limit_the_old_version_breaks_itself_is_found() -> None:
    strict = rollout("threshold", checks=[{"name": "errors", "critical": True, "failureRate": {"max": "1%"}}])
    found = findings(strict, forecast(strict, World(60.0), runs=4, effects=(0.0,)))
    assert found[0].startswith("a candidate as good as the old version is rolled back in 100% of the runs")
    assert "at most 1.0%" in found[0]


def test_a_regression_that_slips_through_is_found() -> None:
    lax = rollout("threshold", checks=[{"name": "success", "successRate": {"maxDrop": "60%"}}])
    found = findings(lax, forecast(lax, World(60.0), runs=4, effects=(-0.3,)))
    assert found == ("a candidate 30 points worse is promoted in 100% of the runs",)


def test_a_cap_far_above_the_costs_is_found() -> None:
    wanted = rollout(checks=[{"name": "spending", "cost": {}}])
    far, near = (
        findings(wanted, forecast(wanted, World(60.0, cost=cost), runs=3, effects=(0.0,)))
        for cost in (0.01, 0.2)
    )
    assert any("AGENT_COST_CAP_USD" in sentence and sentence.startswith("spending") for sentence in far)
    assert not any("AGENT_COST_CAP_USD" in sentence for sentence in near)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (timedelta(seconds=40), "40s"),
        (timedelta(minutes=200), "3h20m"),
        (timedelta(seconds=59.7), "1m"),
        (timedelta(hours=53), "2d5h"),
        (timedelta(days=40, hours=3), "40d"),
    ],
)
def test_times_are_told_in_two_units_at_most(time: timedelta, words: str) -> None:
    assert lasting(time) == words
