"""One contract for every metric source: the fake, and the real one on a real Prometheus with the same samples."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from datetime import datetime, timedelta

import pytest
import pytest_asyncio

from agentrollouts.core.evidence import (
    Accumulator,
    Arm,
    Cell,
    CounterQuery,
    Point,
    Series,
    SeriesKey,
    Unavailable,
)
from agentrollouts.metrics.fake import FakeSource
from agentrollouts.ports import AgentKey, AgentSeries, MetricSource
from tests.contract.counters import CALLS, CROWD, NOW, SECONDS, TASKS, agent, before, stories
from tests.contract.loaded_prometheus import running_prometheus, source_as_of

HALF_AN_HOUR = NOW - timedelta(minutes=30)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), stories()) as url:
        yield url


@pytest_asyncio.fixture(params=["fake", "prometheus"])
async def source(request: pytest.FixtureRequest) -> AsyncIterator[MetricSource]:
    if request.param == "fake":
        fake = FakeSource(now=lambda: NOW)
        for sample in stories():
            fake.sample(sample.metric, sample.labels, time=sample.time, value=sample.value)
        yield fake
        return
    async with source_as_of(request.getfixturevalue("prometheus"), lambda: NOW) as real:
        yield real


async def now_of(source: MetricSource, name: str, query: CounterQuery = TASKS) -> dict[SeriesKey, float]:
    """The newest value of each counter of one agent."""
    found = series_of(await source.current([query], [agent(name)]), query, name)
    assert all(len(one.points) == 1 for one in found)
    return {one.key: one.points[-1].value for one in found}


async def past_of(
    source: MetricSource, name: str, *, since: datetime = HALF_AN_HOUR, query: CounterQuery = TASKS
) -> dict[SeriesKey, tuple[Point, ...]]:
    found = await source.history([query], [agent(name)], since=since, until=NOW)
    return {one.key: one.points for one in series_of(found, query, name)}


def series_of(
    found: Mapping[CounterQuery, AgentSeries | Unavailable], query: CounterQuery, name: str
) -> tuple[Series, ...]:
    by_agent = found[query]
    assert not isinstance(by_agent, Unavailable), by_agent
    mine = by_agent[agent(name)]
    assert not isinstance(mine, Unavailable), mine
    return mine


def key(
    pod: str = "p-0", *, value: str = "success", version: str = "1.0.0", cohort: str = "stable"
) -> SeriesKey:
    return SeriesKey(version, cohort, pod, value)


@pytest.mark.asyncio
async def test_versions_cohorts_pods_and_values_are_told_apart(source: MetricSource) -> None:
    found = await now_of(source, "plain")
    assert found == {
        key(f"{version}-{pod}", version=version, cohort=cohort, value=outcome): count
        for version, cohort in (("1.0.0", "stable"), ("1.0.0", "control"), ("2.0.0", "candidate"))
        for outcome, count in (("success", 119 * 9.0), ("failure", 119.0))
        for pod in ("p-0", "p-1")
    }


@pytest.mark.asyncio
async def test_several_counters_are_answered_together(source: MetricSource) -> None:
    found = await source.current([TASKS, SECONDS, CALLS], [agent("plain")])
    assert {one.key.value for one in series_of(found, SECONDS, "plain")} == {"0.5", "2.5", "+Inf"}
    assert len(series_of(found, TASKS, "plain")) == 12
    assert found[CALLS] == {}


BUNDLE = tuple(query._replace(bundle="all") for query in (TASKS, SECONDS, CALLS))


@pytest.mark.asyncio
async def test_counters_of_a_bundle_are_those_asked_for_one_by_one(source: MetricSource) -> None:
    """Live and past, over an hour too, where the answer is made of two stretches."""
    asked = [agent("plain"), agent("nan")]
    for past in (None, timedelta(minutes=30), timedelta(hours=3)):
        together, alone = [
            await source.current(queries, asked)
            if past is None
            else await source.history(queries, asked, since=NOW - past, until=NOW)
            for queries in (BUNDLE, (TASKS, SECONDS, CALLS))
        ]
        for query in (TASKS, SECONDS):
            found = series_of(together, query._replace(bundle="all"), "plain")
            expected = series_of(alone, query, "plain")
            assert {one.key: one.points for one in found} == {one.key: one.points for one in expected}
        assert together[BUNDLE[2]] == alone[CALLS] == {}


@pytest.mark.asyncio
async def test_history_has_every_sample_with_its_own_time(source: MetricSource) -> None:
    found = await past_of(source, "plain")
    assert len(found) == 12
    points = found[key("2.0.0-p-1", version="2.0.0", cohort="candidate", value="failure")]
    assert points == tuple(Point(before(600 - 5 * step), float(step)) for step in range(120))


@pytest.mark.asyncio
async def test_history_ends_where_it_should(source: MetricSource) -> None:
    since, until = NOW - timedelta(seconds=102), NOW - timedelta(seconds=48)
    found = await source.history([TASKS], [agent("plain")], since=since, until=until)
    for one in series_of(found, TASKS, "plain"):
        assert (one.points[0].time, one.points[-1].time) == (before(100), before(50))


@pytest.mark.asyncio
async def test_absent_labels_are_empty(source: MetricSource) -> None:
    assert await now_of(source, "bare") == {key("", cohort=""): 4.0}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["unversioned", "undimensioned", "nan", "inf"])
async def test_a_broken_counter_makes_its_agent_unavailable_and_no_other(
    source: MetricSource, name: str
) -> None:
    asked = [agent(name), agent("plain")]
    current = await source.current([TASKS], asked)
    past = await source.history([TASKS], asked, since=HALF_AN_HOUR, until=NOW)
    for found in (current, past):
        by_agent = found[TASKS]
        assert not isinstance(by_agent, Unavailable)
        mine = by_agent[agent(name)]
        assert isinstance(mine, Unavailable)
        assert name in mine.reason and TASKS.metric in mine.reason
        assert len(series_of(found, TASKS, "plain")) == 12


@pytest.mark.asyncio
async def test_an_agent_without_series_is_absent(source: MetricSource) -> None:
    asked = [agent("unheard-of"), agent("plain")]
    for found in (
        await source.current([TASKS], asked),
        await source.history([TASKS], asked, since=HALF_AN_HOUR, until=NOW),
    ):
        by_agent = found[TASKS]
        assert not isinstance(by_agent, Unavailable)
        assert set(by_agent) == {agent("plain")}


@pytest.mark.asyncio
async def test_nobody_asked_is_nobody_answered(source: MetricSource) -> None:
    assert await source.current([TASKS], []) == {TASKS: {}}
    assert await source.history([TASKS], [], since=HALF_AN_HOUR, until=NOW) == {TASKS: {}}
    assert await source.current([], [agent("plain")]) == {}


@pytest.mark.asyncio
async def test_a_reset_is_left_for_the_reader_to_find(source: MetricSource) -> None:
    assert [point.value for point in (await past_of(source, "reset"))[key()]] == [50, 55, 2, 9]
    assert await now_of(source, "reset") == {key(): 9}


@pytest.mark.asyncio
async def test_a_pod_that_went_lately_still_shows_its_last_counts(source: MetricSource) -> None:
    assert await now_of(source, "replaced") == {key("old"): 40, key("new"): 12}


@pytest.mark.asyncio
async def test_a_pod_that_went_long_ago_is_history(source: MetricSource) -> None:
    assert await now_of(source, "long-gone") == {key("new"): 12}
    assert set(await past_of(source, "long-gone")) == {key("old"), key("new")}


@pytest.mark.asyncio
async def test_one_counter_scraped_twice_counts_once(source: MetricSource) -> None:
    assert await now_of(source, "scraped-twice") == {key(): 99}
    (points,) = (await past_of(source, "scraped-twice")).values()
    assert [point.value for point in points] == [38, 40, 68, 70, 98, 99]


@pytest.mark.asyncio
async def test_a_pod_at_a_new_address_goes_on_counting(source: MetricSource) -> None:
    assert await now_of(source, "moved") == {key(): 41}
    (points,) = (await past_of(source, "moved")).values()
    assert [point.value for point in points] == [10, 40, 40, 41]


@pytest.mark.asyncio
async def test_containers_and_own_labels_are_counters_of_their_own(source: MetricSource) -> None:
    containers = await now_of(source, "two-containers")
    assert sorted(containers.values()) == [4, 70]
    tools = await now_of(source, "own-label", CALLS)
    assert tools == {key(f'p-0{{tool="{tool}"}}', value=""): 2 for tool in ("search", "refund")}
    by_tool = CALLS._replace(dimension="tool")
    assert await now_of(source, "own-label", by_tool) == {key(value=tool): 2 for tool in ("search", "refund")}


@pytest.mark.asyncio
@pytest.mark.parametrize("asked", [CROWD, CROWD[:50], CROWD[50:90]], ids=len)
async def test_many_agents_get_their_own_series_and_no_one_elses(
    source: MetricSource, asked: Collection[AgentKey]
) -> None:
    for found in (
        await source.current([TASKS], list(asked)),
        await source.history([TASKS], list(asked), since=HALF_AN_HOUR, until=NOW),
    ):
        by_agent = found[TASKS]
        assert not isinstance(by_agent, Unavailable)
        assert set(by_agent) == set(asked)
        newest = {one.points[-1].value for each in by_agent.values() for one in each}  # type: ignore[union-attr]
        assert newest == {7.0}


@pytest.mark.asyncio
async def test_old_history_loses_neither_counts_nor_baselines(source: MetricSource) -> None:
    since = NOW - timedelta(hours=2)
    started = since + timedelta(minutes=5, seconds=2)
    accumulator = Accumulator(since=started.timestamp())
    found = await source.history([TASKS], [agent("aged")], since=since, until=NOW)
    accumulator.load(series_of(found, TASKS, "aged"))
    before_start = 60
    assert accumulator.evidence(NOW).total == {
        Arm("1.0.0", "stable"): {Cell(TASKS.metric, "success"): (7_195 / 5 - before_start) + 8 + 6}
    }


STORIES = ("plain", "bare", "reset", "replaced", "scraped-twice", "moved", "two-containers", "aged")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("age", [timedelta(minutes=30), timedelta(hours=2)])
async def test_what_is_current_goes_on_where_history_ended(
    source: MetricSource, name: str, age: timedelta
) -> None:
    past = await past_of(source, name, since=NOW - age)
    for one, value in (await now_of(source, name)).items():
        assert past[one][-1].value == value


@pytest.mark.asyncio
async def test_questions_at_the_same_time_get_the_same_answers(source: MetricSource) -> None:
    alone = await source.current([TASKS], [agent("plain")])
    together = await asyncio.gather(*(source.current([TASKS, SECONDS], [agent("plain")]) for _ in range(20)))
    for found in together:
        assert set(series_of(found, TASKS, "plain")) == set(series_of(alone, TASKS, "plain"))


@pytest_asyncio.fixture(params=["fake", "prometheus"])
async def dead_source(request: pytest.FixtureRequest) -> AsyncIterator[MetricSource]:
    if request.param == "fake":
        yield FakeSource(now=lambda: NOW, mode="down")
        return
    async with source_as_of("http://127.0.0.1:1", lambda: NOW) as real:
        yield real


@pytest.mark.asyncio
async def test_an_outage_is_a_value_for_every_query(dead_source: MetricSource) -> None:
    for found in (
        await dead_source.current([TASKS, SECONDS], [agent("plain")]),
        await dead_source.history([TASKS, SECONDS], [agent("plain")], since=HALF_AN_HOUR, until=NOW),
    ):
        assert set(found) == {TASKS, SECONDS}
        for query, answer in found.items():
            assert isinstance(answer, Unavailable)
            assert query.metric in answer.reason
