"""Counting: resets, gone pods, missed samples and sliding windows, against a truth kept beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.evidence import Accumulator, Arm, Cell, CounterQuery, Point, Series, SeriesKey, sum_of

TASKS = CounterQuery("agent_tasks_total", "outcome")
T0 = 1_000.0


def series(*points, pod="p1", cohort="candidate", value="success"):
    key = SeriesKey("2.0.0", cohort, pod, value)
    return Series(TASKS, key, tuple(Point(T0 + t, v) for t, v in points))


def total(accumulator):
    evidence = accumulator.evidence(datetime.fromtimestamp(T0 + 100, UTC))
    return sum_of(evidence.pooled("2.0.0"), "agent_tasks_total")


def test_what_a_counter_showed_at_the_start_does_not_count():
    counted = Accumulator(since=T0)
    counted.load([series((-5, 40), (-1, 42), (4, 50))])
    assert total(counted) == 8


def test_a_pod_that_appears_later_counts_from_zero():
    counted = Accumulator(since=T0)
    counted.load([])
    counted.add([series((3, 7), pod="new")])
    assert total(counted) == 7


def test_a_metric_server_that_lost_its_data_does_not_count_the_old_version_s_whole_life():
    counted = Accumulator(since=T0)
    old = Series(
        TASKS, SeriesKey("1.0.0", "stable", "p9", "success"), (Point(T0 + 30, 9_000), Point(T0 + 40, 9_005))
    )
    counted.load([old, series((30, 12))], newcomer="2.0.0")
    evidence = counted.evidence(datetime.fromtimestamp(T0 + 100, UTC))
    assert sum_of(evidence.pooled("1.0.0"), "agent_tasks_total") == 5
    assert sum_of(evidence.pooled("2.0.0"), "agent_tasks_total") == 12


def test_a_new_pod_of_the_old_version_still_counts_from_zero():
    counted = Accumulator(since=T0)
    old = Series(
        TASKS, SeriesKey("1.0.0", "stable", "p9", "success"), (Point(T0 - 5, 9_000), Point(T0 + 40, 9_005))
    )
    new = Series(TASKS, SeriesKey("1.0.0", "stable", "p10", "success"), (Point(T0 + 30, 7),))
    counted.load([old, new], newcomer="2.0.0")
    evidence = counted.evidence(datetime.fromtimestamp(T0 + 100, UTC))
    assert sum_of(evidence.pooled("1.0.0"), "agent_tasks_total") == 12


def test_a_restarted_process_counts_again_from_zero():
    counted = Accumulator(since=T0)
    counted.load([series((-1, 0))])
    for point in ((1, 10), (2, 14), (3, 3), (4, 5)):
        counted.add([series(point)])
    assert total(counted) == 14 + 5


def test_a_pod_that_is_gone_keeps_what_it_counted():
    counted = Accumulator(since=T0)
    counted.load([])
    counted.add([series((1, 9), pod="old")])
    counted.add([series((2, 1), pod="new")])
    assert total(counted) == 10


def test_the_same_sample_twice_counts_once():
    counted = Accumulator(since=T0)
    counted.load([])
    counted.add([series((1, 9))])
    counted.add([series((1, 9))])
    assert total(counted) == 9


@given(
    gains=st.lists(st.integers(0, 5), min_size=1, max_size=40),
    scraped=st.lists(st.booleans(), min_size=40, max_size=40),
    restart=st.integers(0, 40),
)
def test_an_operator_that_restarts_counts_what_one_that_never_did_counts(gains, scraped, restart):
    values, sum_ = [], 0
    for gain in gains:
        sum_ += gain
        values.append(sum_)
    seen = [(i + 1, v) for i, v in enumerate(values) if scraped[i] or i == len(values) - 1]
    live = Accumulator(since=T0)
    live.load([])
    for point in seen:
        live.add([series(point)])
    past = [point for point in seen if point[0] < restart]
    restarted = Accumulator(since=T0)
    restarted.load([series(*past)] if past else [])
    for point in seen[len(past) :]:
        restarted.add([series(point)])
    assert total(live) == total(restarted) == sum_


def test_a_window_of_time_forgets_what_is_older():
    counted = Accumulator(since=T0, window=timedelta(seconds=10))
    counted.load([])
    for t in range(1, 31):
        counted.add([series((t, 2 * t))])
        evidence = counted.evidence(datetime.fromtimestamp(T0 + t, UTC))
    assert evidence.recent[Arm("2.0.0", "candidate")][Cell("agent_tasks_total", "success")] == 20
    assert evidence.total[Arm("2.0.0", "candidate")][Cell("agent_tasks_total", "success")] == 60


def test_a_window_of_outcomes_holds_at_least_the_last_so_many():
    counted = Accumulator(since=T0, window_of=("2.0.0", "agent_tasks_total"), window_size=100)
    counted.load([])
    for t in range(1, 61):
        counted.add([series((t, 5 * t)), series((t, max(0, t - 50)), value="failure")])
        evidence = counted.evidence(datetime.fromtimestamp(T0 + t, UTC))
    recent = evidence.pooled("2.0.0", recent=True)
    assert 100 <= sum_of(recent, "agent_tasks_total") <= 110
    assert sum_of(recent, "agent_tasks_total", "failure") == 10


def test_checkpoints_are_bounded():
    counted = Accumulator(since=T0, window=timedelta(hours=1))
    counted.load([])
    for t in range(1, 4_000):
        counted.evidence(datetime.fromtimestamp(T0 + t, UTC))
    assert [len(window._checkpoints) <= 130 for window in counted._windows.values()] == [True]


def test_a_history_that_is_looked_at_on_the_way_has_the_window_of_whoever_looked_all_the_time():
    def counted(looks):
        found = Accumulator(since=T0, window=timedelta(seconds=20))
        found.load([series(*((t, 10.0 * t) for t in range(101)))], looks=looks)
        return found

    def recent(found, second):
        evidence = found.evidence(datetime.fromtimestamp(T0 + second, UTC))
        return sum_of(evidence.pooled("2.0.0", recent=True), "agent_tasks_total")

    looks = [datetime.fromtimestamp(T0 + t, UTC) for t in range(70, 100, 5)]
    assert recent(counted(()), 100) == 1000
    assert recent(counted(looks), 100) == 200
    assert total(counted(looks)) == 1000
