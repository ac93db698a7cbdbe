from __future__ import annotations

from itertools import pairwise
from math import sqrt

import pytest

from bench.decisions.rollouts import play
from bench.decisions.samplers import binomial
from bench.decisions.scenarios import DAY, SCENARIOS, STEPS, Scenario
from bench.decisions.streams import Stream, courses_of

PLAIN = Scenario("plain", -0.1, before=0.9)
STICKY = Scenario("sticky", -0.1, before=0.9, tied=0.3, rate=100.0)
SEED = 5


def drawn(scenario, *, step=0, ticks=300, repetition=0):
    stream = Stream(scenario, SEED, repetition)
    return [stream.begun(step, tick) for tick in range(ticks)]


@pytest.mark.parametrize(("step", "rates"), list(enumerate(STEPS)))
@pytest.mark.parametrize("scenario", [PLAIN, STICKY])
def test_cohorts_get_their_shares_and_succeed_as_they_should(scenario, step, rates):
    ticks = drawn(scenario, step=step)
    for cohort, (share, p) in enumerate(zip(rates, (0.8, 0.9, 0.9), strict=True)):
        n = sum(tick[cohort].sessions for tick in ticks)
        expected = 300 * scenario.rate / 0.05 * share / scenario.size
        assert abs(n - expected) <= 4 * sqrt(expected)
        if share:
            mean = sum(tick[cohort].fractions for tick in ticks) / n
            spread = sqrt(p * (1 - p) * (scenario.tied or 1.0) / n)
            assert abs(mean - p) < 5 * spread


def test_a_task_that_is_a_session_is_a_success_or_none():
    for tick in drawn(PLAIN, ticks=30):
        for begun in tick:
            assert begun.fractions == begun.squares == begun.successes[0] <= begun.sessions


def test_tasks_of_a_session_share_their_fate_as_often_as_told():
    ticks = drawn(STICKY, ticks=1000)
    for cohort, p in enumerate((0.8, 0.9, 0.9)):
        n = sum(tick[cohort].sessions for tick in ticks)
        mean = sum(tick[cohort].fractions for tick in ticks) / n
        variance = sum(tick[cohort].squares for tick in ticks) / n - mean**2
        # Three of ten sessions are all or nothing, the others the mean of ten.
        assert variance == pytest.approx(p * (1 - p) * (0.3 + 0.7 / 10), rel=0.06)


def test_a_sessions_fraction_is_what_its_tasks_came_to():
    for tick in drawn(STICKY, ticks=50):
        for begun in tick:
            assert sum(begun.successes) == pytest.approx(10 * begun.fractions)
            assert len(begun.successes) == 5
            assert max(begun.successes) <= 2 * begun.sessions


def test_courses_have_the_chances_of_independent_tasks():
    made = courses_of(2, (0.9, 0.4))
    low, chances = 0.0, {}
    for course, high in zip(made.outcomes, made.cumulative, strict=True):
        chances[course], low = high - low, high
    for first in range(3):
        for second in range(3):
            expected = binomial(2, 0.9)[first] * binomial(2, 0.4)[second]
            assert chances[first, second] == pytest.approx(expected)


def test_a_session_lives_through_the_hours_it_lasts():
    steep = Scenario("steep", -0.8, before=0.9, tied=0.01, rate=1000.0, onset=2)
    begun = Stream(steep, SEED, 0).begun(2, 0)[0]
    early, late = begun.successes[1] / begun.sessions / 2, begun.successes[2] / begun.sessions / 2
    assert early == pytest.approx(0.9, abs=0.05)
    assert late == pytest.approx(0.1, abs=0.05)


def test_every_rule_meets_the_same_rollout_whatever_it_asks_first():
    there, back = Stream(STICKY, SEED, 3), Stream(STICKY, SEED, 3)
    forward = [there.begun(step, tick) for step in (0, 1, 2) for tick in (0, 7)]
    backward = [back.begun(step, tick) for step in (2, 1, 0) for tick in (7, 0)]
    assert forward == backward[::-1]
    assert there.past == back.past


@pytest.mark.parametrize("other", [(SEED, 4), (SEED + 1, 3)])
def test_another_repetition_or_seed_is_another_rollout(other):
    one, two = Stream(STICKY, SEED, 3), Stream(STICKY, *other)
    assert [one.begun(0, t) for t in range(5)] != [two.begun(0, t) for t in range(5)]


def test_success_falls_and_recovers_within_a_day():
    drifting = Scenario("drifting", -0.3, drift=0.12, onset=DAY)
    assert drifting.success(0) == pytest.approx((0.97, 0.97))
    assert drifting.success(DAY // 2) == pytest.approx((0.85, 0.85))
    assert drifting.success(DAY) == pytest.approx((0.67, 0.97))


def test_what_the_right_decision_is():
    assert [Scenario("", effect).truth for effect in (0.03, 0.0, -0.02, -0.05, -0.3)] == [
        "good", "good", "between", "bad", "bad",
    ]  # fmt: skip
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) == 23


class Recorder:
    """A rule that says what it is told to, tick by tick, and keeps what it saw."""

    def __init__(self, *answers):
        self.answers, self.looks = list(answers), []

    def __call__(self, look):
        self.looks.append(
            look._replace(
                **{name: tuple(part) for name, part in look._asdict().items() if isinstance(part, list)}
            )
        )
        return self.answers.pop(0) if look.tick >= 0 and self.answers else "hold"


def played(scenario, *answers):
    rule = Recorder(*answers)
    return play(scenario, Stream(scenario, SEED, 0), rule), rule.looks


def test_history_comes_first_and_belongs_to_stable():
    _, looks = played(Scenario("short", ticks=1))
    assert looks[0].tick == -1
    assert looks[0].sessions[:2] == (0.0, 0.0)
    assert looks[0].sessions[2] == pytest.approx(60 * 400 * 0.95, rel=0.05)


def test_sessions_count_when_they_close_and_their_tasks_when_they_end():
    short = Scenario("short", tied=0.5, ticks=8)
    _, looks = played(short)
    stream = Stream(short, SEED, 0)
    closed = [sum(stream.begun(0, t)[0].sessions for t in range(tick - 3)) for tick in range(8)]
    assert [look.sessions[0] for look in looks[1:]] == closed
    running = [
        sum(2 * stream.begun(0, t)[0].sessions * min(5, tick - t + 1) for t in range(tick + 1))
        for tick in range(8)
    ]
    assert [look.tasks[0] for look in looks[1:]] == running


def test_a_step_changes_the_shares_of_the_sessions_that_begin_after_it():
    scenario = Scenario("steps", rate=1000.0, ticks=3)
    _, looks = played(scenario, "advance")
    gained = [now.tasks[0] - then.tasks[0] for then, now in pairwise(looks[1:])]
    assert looks[1].tasks[0] == pytest.approx(1000, rel=0.15)
    assert gained == [pytest.approx(4000, rel=0.1)] * 2
    assert [look.step for look in looks] == [0, 0, 1, 1]


def test_a_session_goes_on_in_the_step_it_began_in():
    scenario = Scenario("steps", tied=0.5, ticks=3, rate=1000.0)
    _, looks = played(scenario, "advance")
    stream = Stream(scenario, SEED, 0)
    began = [stream.begun(step, tick)[0].sessions for tick, step in enumerate((0, 1, 1))]
    assert [look.tasks[0] for look in looks[1:]] == [
        2 * began[0],
        4 * began[0] + 2 * began[1],
        6 * began[0] + 4 * began[1] + 2 * began[2],
    ]


def test_the_last_advance_is_the_promotion():
    end, looks = played(Scenario("steps", ticks=9), "advance", "hold", "advance", "advance")
    assert (end.decision, end.tick, end.looks) == ("promotion", 3, 4)
    assert end.tasks == looks[-1].tasks[0]


def test_behind_a_gate_nothing_is_promoted_and_a_rollback_is():
    end, looks = played(Scenario("gated", ticks=5, gated=True), *["advance"] * 4, "rollback")
    assert (end.decision, end.tick) == ("rollback", 4)
    assert {look.step for look in looks} == {0}
    assert played(Scenario("gated", ticks=5, gated=True), *["advance"] * 5)[0].decision is None
