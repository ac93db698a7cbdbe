from __future__ import annotations

from random import Random

import pytest

from bench.decisions.metric_peers import fixed_factors, interpolated
from bench.decisions.metric_rollouts import Answer, MetricLook, watch
from bench.decisions.metric_scenarios import EDGES, METRIC_SCENARIOS, MIX, MetricScenario, with_new, without
from bench.decisions.metric_streams import MetricStream, Seen, Sums, session

SEED = 5


def sessions(scenario, *, candidate, count=3000, wave=0.0):
    chance = Random(SEED)
    return [Sums.of(session(scenario, wave, chance, candidate=candidate)) for _ in range(count)]


def mean(those):
    found = list(those)
    return sum(found) / len(found)


def test_where_nothing_differs_both_versions_have_the_same_sessions():
    scenario = MetricScenario("same", size=3, tied=0.5)
    assert sessions(scenario, candidate=True, count=50) == sessions(scenario, candidate=False, count=50)


@pytest.mark.parametrize(
    ("effect", "differ"),
    [
        ({"cost": 1.3}, {"cost", "squares"}),
        ({"latency": 1.5}, {"below"}),
        ({"mix": with_new(0.15)}, {"tools"}),
        ({"success": -0.1}, {"success"}),
        ({"refusals": 0.05}, {"refusals"}),
    ],
)
def test_an_effect_moves_its_own_metric_and_no_other(effect, differ):
    scenario = MetricScenario("effect", **effect)
    pairs = list(zip(sessions(scenario, candidate=True), sessions(scenario, candidate=False), strict=True))
    moved = {name for name in Sums._fields if any(getattr(a, name) != getattr(b, name) for a, b in pairs)}
    assert moved == differ


def test_rates_are_those_that_were_asked_for():
    new = sessions(MetricScenario("rates", success=-0.1, refusals=0.05, mix=without("write")), candidate=True)
    assert mean(s.success for s in new) == pytest.approx(0.85, abs=0.02)
    assert mean(s.refusals for s in new) == pytest.approx(0.08, abs=0.015)
    mix = [mean(s.tools[at] for s in new) for at in range(len(MIX))]
    assert mix == pytest.approx([part / 0.8 if at != 2 else 0.0 for at, part in enumerate(MIX)], abs=0.03)


def test_everything_moves_with_the_hour():
    quiet, busy = (
        sessions(MetricScenario("hours", drifts=True), candidate=False, wave=wave) for wave in (0.0, 1.0)
    )
    assert mean(s.cost for s in busy) > 1.4 * mean(s.cost for s in quiet)
    assert mean(s.below[3] for s in busy) < mean(s.below[3] for s in quiet) - 0.1
    assert mean(s.success for s in busy) == pytest.approx(0.87, abs=0.02)
    scenario = MetricScenario("hours", drifts=True)
    assert [scenario.wave(scenario.phase(tick)) for tick in (0, 60, 120, 239)] == pytest.approx(
        [0.0, 0.5, 1.0, 0.146], abs=0.001
    )


def test_a_session_is_whole_and_a_tied_one_has_one_fate():
    for s in sessions(MetricScenario("tied", size=10, tied=1.0), candidate=False, count=200):
        assert s.n == 1.0
        assert s.success in {0.0, 1.0}
        assert sum(s.tools) == pytest.approx(1.0)
        assert max(s.tools) == 1.0
        assert list(s.below) == sorted(s.below)
        assert s.squares == pytest.approx(s.cost**2)
        assert 0.0 < s.cost <= 1.0


def test_half_tied_sessions_resemble_themselves_by_half():
    found = sessions(MetricScenario("half", size=10, tied=0.5), candidate=False)
    p = mean(s.success for s in found)
    variance = mean((s.success - p) ** 2 for s in found)
    assert variance == pytest.approx(p * (1 - p) * 0.55, rel=0.1)


def test_a_slow_candidate_closes_later_and_is_assigned_no_less():
    stream = MetricStream(MetricScenario("slow", latency=2.0, rate=1000.0), SEED, 0)
    closed = [[stream.seen(tick).rows[at][0] for tick in range(8)] for at in (0, 1)]
    assert [n > 0 for n in closed[0]] == [False] * 6 + [True] * 2
    assert [n > 0 for n in closed[1]] == [False] * 3 + [True] * 5
    candidate, control, stable = stream.seen(7).assigned
    assert candidate == pytest.approx(400, rel=0.2)
    assert control == pytest.approx(400, rel=0.2)
    assert stable - stream.past.assigned[2] == pytest.approx(7200, rel=0.05)


def test_the_candidate_gets_its_own_sessions_and_everybody_those_of_the_hour():
    stream = MetricStream(MetricScenario("dear", cost=2.0, drifts=True, rate=400.0), SEED, 0)
    gained = [
        [
            Sums.of(tuple(new - old for new, old in zip(now, then, strict=True)))
            for now, then in zip(stream.seen(last).rows, stream.seen(first).rows, strict=True)
        ]
        for first, last in ((3, 33), (123, 133))
    ]
    cost = [[side.cost / side.n for side in sides] for sides in gained]
    assert cost[0][0] > 1.5 * cost[0][1]
    assert cost[0][1] == pytest.approx(cost[0][2], rel=0.15)
    assert cost[1][2] > 1.4 * cost[0][2]


def test_a_rollout_repeats_by_its_number_alone():
    scenario = MetricScenario("again", size=2)
    first, again, other = (MetricStream(scenario, SEED, number) for number in (1, 1, 2))
    assert first.seen(9) == again.seen(9) != other.seen(9)


def test_shares_widen_when_they_should_and_names_are_unique():
    scenario = MetricScenario("wide", widened=200)
    assert (scenario.shares(199)[0], scenario.shares(200)[0]) == (0.05, 0.20)
    assert len({s.name for s in METRIC_SCENARIOS}) == len(METRIC_SCENARIOS) == 25


def test_a_rollout_ends_where_it_is_stopped_and_remembers_that_it_could_have_advanced():
    scenario = MetricScenario("watched", ticks=20, size=2)
    answers = {4: Answer("advance"), 6: Answer("advance"), 9: Answer("rollback", "cost")}
    stream = MetricStream(scenario, SEED, 0)
    end = watch(scenario, stream, lambda look: answers.get(look.tick, Answer("hold")))
    assert (end.blame, end.tick, end.advanced, end.looks) == ("cost", 9, 4, 10)
    assert end.tasks == 2 * stream.seen(9).rows[0][0]
    assert watch(scenario, stream, lambda look: Answer("hold")).blame is None


def test_a_quantile_lies_on_the_line_between_two_edges():
    below = (10.0, 50.0, 90.0, 100.0, 100.0, 100.0, 100.0)
    assert interpolated(below, 100.0, 0.7) == pytest.approx(EDGES[1] + (EDGES[2] - EDGES[1]) / 2)
    assert interpolated(below, 200.0, 0.9) == EDGES[-1]


BELOW = (10.0, 100.0, 900.0, 960.0, 990.0, 1000.0, 1000.0)
USUAL = Sums(1000.0, 100.0, 20.0, BELOW, (350.0, 250.0, 200.0, 120.0, 80.0, 0.0), 30.0, 950.0)


def judged(assigned=(500.0, 500.0, 10_000.0), *, looks=3, n=1000.0, size=1, **worse):
    """What the fixed factors say of a candidate that is as usual but for this, at the last of some looks."""
    rule = fixed_factors()

    def row(sums):
        return (sums.n, sums.cost, sums.squares, *sums.below, *sums.tools, sums.refusals, sums.success)

    usual, nothing = row(USUAL), row(USUAL._replace(n=0.0))
    rule(MetricLook(-1, size, (0.05, 0.05, 0.90), Seen((0.0, 0.0, 1000.0), (nothing, nothing, usual))))
    rows = (row(USUAL._replace(n=n, **worse)), usual, usual)
    answers = [
        rule(MetricLook(tick, size, (0.05, 0.05, 0.90), Seen(assigned, rows))) for tick in range(looks)
    ]
    return answers[-1]


SLOW = tuple(0.9 * part for part in BELOW)


@pytest.mark.parametrize(
    ("worse", "blame"),
    [
        ({"success": 899.0}, "success"),
        ({"success": 901.0}, None),
        ({"cost": 121.0}, "cost"),
        ({"cost": 119.0}, None),
        ({"below": SLOW}, "latency"),
        ({"below": SLOW, "looks": 2}, None),
        (
            {"tools": (350.0, 250.0, 0.0, 120.0, 80.0, 200.0)},
            None,
        ),  # whoever looks at known tools only, sees half
        ({"tools": (650.0, 50.0, 100.0, 120.0, 80.0, 0.0)}, "tools"),
        ({"refusals": 81.0}, "refusal"),
        ({"success": 0.0, "n": 99.0}, None),
        ({"success": 0.0, "n": 99.0, "size": 10}, "success"),
    ],
)
def test_fixed_factors_blame_what_is_beyond_them(worse, blame):
    assert judged(**worse).blame == blame


def test_fixed_factors_see_callers_that_are_missing():
    assert judged((374.0, 626.0, 10_000.0)) == Answer("alert_split", "split")
    assert judged((376.0, 624.0, 10_000.0)) == Answer("hold")
