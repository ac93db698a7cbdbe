"""Users' own queries: what the fake and a real Prometheus answer alike, and the documented examples on the real one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from math import inf, isnan, nan
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from agentrollouts.core.asked import Reply, Row
from agentrollouts.core.evidence import Arm, Asked, Unavailable
from agentrollouts.core.template import complaints, rendered
from agentrollouts.metrics.exchange import Budget, Exchange
from agentrollouts.metrics.fake import FakeSource
from agentrollouts.metrics.prometheus import WORDS
from agentrollouts.ports import MetricSource
from tests.contract.counters import NOW, before
from tests.contract.loaded_prometheus import Sample, running_prometheus, source_as_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "analysis.md"
NASTY = "o'hara\"}) or vector(1) # \\ {{ agent }} | .*"
"""A namespace that no API server would take."""
PODS = (
    ("2.0.0", "candidate", "p-0", 4.0),
    ("2.0.0", "candidate", "p-1", 6.0),
    ("1.0.0", "stable", "p-2", 1.0),
)


def stories() -> Iterator[Sample]:
    """Gauges, and a histogram that has grown for a quarter of an hour."""
    for version, cohort, pod, value in PODS:
        labels = {"namespace": "shop", "agent": "support", "version": version, "cohort": cohort, "pod": pod}
        yield Sample("queue", labels, before(10), value)
        yield Sample(
            "pod_backlog",
            {name: text for name, text in labels.items() if name != "cohort"},
            before(10),
            value,
        )
        for le, part in (("0.5", 0.5), ("1", 0.9), ("2", 1.0), ("+Inf", 1.0)):
            for ago in range(900, 0, -15):
                amount = (900 - ago) * part * value
                yield Sample("queue_time_seconds_bucket", labels | {"le": le}, before(ago), amount)
    for name, value in (("nan", nan), ("inf", inf), ("gone", 7.0)):
        labels = {"namespace": "shop", "agent": name, "version": "2.0.0", "cohort": "candidate"}
        yield Sample("queue", labels, before(3_600 if name == "gone" else 10), value)
    yield Sample("queue", {"namespace": "shop", "agent": "unlabelled", "pod": "p-0"}, before(10), 1.0)
    written = NASTY.replace("\\", "\\\\").replace('"', '\\"')
    labels = {"namespace": written, "agent": "support", "version": "2.0.0", "cohort": "candidate"}
    yield Sample("queue", labels, before(10), 13.0)


def grouped(agent: str, by: str = "version, cohort") -> str:
    return f'max by ({by}) (queue{{namespace="shop",agent="{agent}"}})'


def row(version: str, cohort: str, value: float) -> Row:
    return Row({"version": version, "cohort": cohort}, value)


TOLD = {
    grouped("support"): (row("2.0.0", "candidate", 6.0), row("1.0.0", "stable", 1.0)),
    grouped("nan"): (row("2.0.0", "candidate", nan),),
    grouped("inf"): (row("2.0.0", "candidate", inf),),
    grouped("unlabelled"): (Row({}, 1.0),),
    grouped("support", by="version, cohort, pod"): tuple(
        Row({"version": version, "cohort": cohort, "pod": pod}, value) for version, cohort, pod, value in PODS
    ),
}
"""What the fake is told, and the real one has to find out."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), stories()) as found:
        yield found


@pytest_asyncio.fixture(params=["fake", "prometheus"])
async def source(request: pytest.FixtureRequest) -> AsyncIterator[MetricSource]:
    if request.param == "fake":
        fake = FakeSource(now=lambda: NOW)
        for query, rows in TOLD.items():
            fake.tell(query, *rows)
        yield fake
        return
    async with source_as_of(request.getfixturevalue("url"), lambda: NOW) as real:
        yield real


def arms(found: tuple[Row, ...] | Unavailable, agent: str = "support") -> dict[Arm, tuple[float, ...]]:
    assert not isinstance(found, Unavailable), found
    asked = Reply.of(found, NOW).about("shop", agent)
    assert isinstance(asked, Asked), asked
    return {arm: tuple(sorted(values)) for arm, values in asked.values.items()}


@pytest.mark.asyncio
async def test_each_version_and_cohort_has_its_value(source: MetricSource) -> None:
    assert arms(await source.ask(grouped("support"))) == {
        Arm("2.0.0", "candidate"): (6.0,),
        Arm("1.0.0", "stable"): (1.0,),
    }


@pytest.mark.asyncio
async def test_several_series_of_one_arm_stay_several(source: MetricSource) -> None:
    found = arms(await source.ask(grouped("support", by="version, cohort, pod")))
    assert found[Arm("2.0.0", "candidate")] == (4.0, 6.0)


@pytest.mark.asyncio
async def test_nan_and_infinity_come_as_they_are(source: MetricSource) -> None:
    (values,) = arms(await source.ask(grouped("nan"))).values()
    assert isnan(values[0])
    (values,) = arms(await source.ask(grouped("inf"))).values()
    assert values == (inf,)


@pytest.mark.asyncio
async def test_nothing_is_no_row_and_no_error(source: MetricSource) -> None:
    assert await source.ask(grouped("nobody")) == ()
    assert await source.ask(grouped("gone")) == (), "an hour old"


@pytest.mark.asyncio
async def test_a_series_without_the_labels_is_told_as_that(source: MetricSource) -> None:
    found = await source.ask(grouped("unlabelled"))
    assert not isinstance(found, Unavailable)
    asked = Reply.of(found, NOW).about("shop", "unlabelled")
    assert isinstance(asked, Unavailable)
    assert "expected labels version and cohort" in asked.reason


@pytest.mark.asyncio
async def test_a_query_that_cant_be_read_is_unavailable_in_the_servers_words(source: MetricSource) -> None:
    found = await source.ask(f"max({grouped('support')}")
    assert isinstance(found, Unavailable)
    assert "bad_data" in found.reason
    assert "parse error" in found.reason
    assert arms(await source.ask(grouped("support"))), "and nothing is spoilt by it"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("1 + 1", "expected a vector or a matrix, got resultType 'scalar'"),
        ("queue[5m]", "expected one number for each series, got samples over time"),
        ("queue * on () group_left queue", "many-to-many"),
        ("sum(" * 400 + "queue{" + "x" * 3_000, "parse error"),
    ],
)
async def test_what_is_no_number_for_each_series_is_unavailable(url: str, query: str, words: str) -> None:
    async with source_as_of(url, lambda: NOW) as real:
        found = await real.ask(query)
    assert isinstance(found, Unavailable)
    assert words in found.reason
    assert len(found.reason) <= WORDS


@pytest.mark.asyncio
async def test_a_slow_query_and_a_huge_answer_are_unavailable(url: str) -> None:
    seen: list[Exchange] = []
    tight = Budget(seconds=5.0, max_bytes=300)
    async with source_as_of(url, lambda: NOW, own=tight, on_exchange=seen.append) as real:
        huge = await real.ask("queue_time_seconds_bucket")
        assert isinstance(huge, Unavailable)
        assert "the answer is larger than 300 bytes" in huge.reason
    async with source_as_of(url, lambda: NOW, own=Budget(1e-9, 10**6), on_exchange=seen.append) as real:
        slow = await real.ask(grouped("support"))
        assert isinstance(slow, Unavailable)
        assert "no answer within" in slow.reason
    assert [(one.metric, bool(one.error)) for one in seen] == [("promql", True)] * 2


@pytest.mark.asyncio
async def test_hanging_queries_take_no_slot_of_the_counters() -> None:
    """A server on which every query of a user's hangs still answers those of the operator."""
    release = asyncio.Event()

    async def handler(request: httpx.Request) -> httpx.Response:
        if b"queue" in await request.aread():
            await release.wait()
        return httpx.Response(200, json={"status": "success", "data": {"resultType": "vector", "result": []}})

    from agentrollouts.metrics.prometheus import PrometheusSource
    from tests.contract.counters import TASKS, agent

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        real = PrometheusSource("http://prometheus.example", client)
        hanging = [asyncio.create_task(real.ask("queue")) for _ in range(50)]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(real.current([TASKS], [agent("plain")]), 30) == {TASKS: {}}
        assert not any(task.done() for task in hanging)
        release.set()
        assert await asyncio.gather(*hanging) == [()] * 50


@pytest.mark.asyncio
async def test_no_name_breaks_out_of_its_matcher(url: str) -> None:
    """The server itself reads the name back: it finds the one series of that namespace, and none for another."""
    async with source_as_of(url, lambda: NOW) as real:
        for operator in ("=", "=~"):
            for quote in "\"'":
                template = (
                    f"sum by (version, cohort) (queue{{namespace{operator}{quote}{{{{ namespace }}}}{quote},"
                    'agent="{{ agent }}"})'
                )
                for namespace, expected in ((NASTY, 13.0), (NASTY + "x", None)):
                    window = timedelta(minutes=5)
                    query = rendered(template, namespace=namespace, agent="support", window=window)
                    found = await real.ask(query)
                    assert found == ((row("2.0.0", "candidate", expected),) if expected else ()), query


def documented() -> list[str]:
    """The queries of the examples in docs/analysis.md."""
    found = re.findall(r"^( +)query: \|\n((?:\1 +.*\n)+)", DOCUMENT.read_text(), re.MULTILINE)
    return [text for _, text in found]


@pytest.mark.asyncio
@pytest.mark.parametrize(("number", "candidate", "old"), [(0, 1.9, 1.9), (1, 6.0, 1.0), (2, 6.0, 1.0)])
async def test_the_documented_examples_work(url: str, number: int, candidate: float, old: float) -> None:
    template = documented()[number]
    assert complaints(template) == ()
    query = rendered(template, namespace="shop", agent="support", window=timedelta(minutes=5))
    async with source_as_of(url, lambda: NOW) as real:
        found = arms(await real.ask(query))
    assert found[Arm("2.0.0", "candidate")] == pytest.approx((candidate,))
    assert found[Arm("1.0.0", "stable")] == pytest.approx((old,))


def test_every_documented_example_is_tried() -> None:
    assert len(documented()) == 3
