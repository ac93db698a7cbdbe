"""Keys depend on a series' own labels alone; several scrapes of one counter are read as one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.core.evidence import CounterQuery, Point, SeriesKey
from agentrollouts.metrics.identity import LOOKBACK, key_of, merged

TASKS = CounterQuery("agent_tasks_total", "outcome")
LABELS = {"__name__": "agent_tasks_total", "namespace": "shop", "agent": "support", "version": "1.0.0"}


def points(*pairs: tuple[float, float]) -> list[Point]:
    return [Point(*pair) for pair in pairs]


def test_labels_of_the_scrape_are_no_part_of_a_key() -> None:
    plain = key_of(LABELS | {"pod": "p-0", "outcome": "success"}, "outcome")
    assert plain == SeriesKey("1.0.0", "", "p-0", "success")
    scraped = {"job": "a", "instance": "10.0.0.1:9464", "replica": "b", "digest": "abc"}
    assert key_of(LABELS | {"pod": "p-0", "outcome": "success"} | scraped, "outcome") == plain


def test_without_a_pod_the_instance_is_whose_counter_it_is() -> None:
    first, second = (key_of(LABELS | {"instance": f"host-{n}:80"}, "outcome") for n in (1, 2))
    assert first != second
    assert first.pod == '{instance="host-1:80"}'


@given(st.permutations([("pod", "p-0"), ("tool", "x"), ("container", "main"), ("outcome", "success")]))
def test_the_order_of_labels_does_not_matter(shuffled: list[tuple[str, str]]) -> None:
    assert key_of(LABELS | dict(shuffled), "outcome").pod == 'p-0{container="main",tool="x"}'


def test_a_single_scrape_is_left_as_it_is() -> None:
    assert merged([points((1, 5), (2, 3))]) == ((1, 5), (2, 3))


def test_a_lagging_scrape_is_no_reset_and_a_real_reset_is_seen_when_both_have_seen_it() -> None:
    ahead, behind = points((1, 10), (3, 20), (5, 2)), points((2, 9), (4, 19), (6, 3))
    assert [point.value for point in merged([ahead, behind])] == [10, 10, 20, 20, 19, 3]


def test_a_scrape_that_ended_stops_counting_after_the_lookback() -> None:
    ended, going = points((0, 100)), points((LOOKBACK, 5), (LOOKBACK + 1, 6))
    assert [point.value for point in merged([ended, going])] == [100, 100, 6]


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), unique_by=lambda pair: pair[0], min_size=1))
def test_scrapes_of_one_growing_counter_give_that_counter(seen: list[tuple[int, bool]]) -> None:
    scrapes = [points(*((t, 3.0 * t) for t, who in sorted(seen) if who is side)) for side in (True, False)]
    assert merged(scrapes) == tuple(Point(t, 3.0 * t) for t, _ in sorted(seen))
