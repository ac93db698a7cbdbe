"""The load against a real agent: what its users saw must be what the agent reports."""

from __future__ import annotations

import asyncio
import math
from collections import Counter

import pytest

from agent_load import Load, LoadPlan, counts, misanswered, outcomes, routing_errors, summary

DEADLINE_SECONDS = 60.0


async def until(load: Load, *, done: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while load.counters.done < done:  # noqa: ASYNC110 - a condition is polled, with a deadline
            await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_users_and_agent_count_the_same(serve):
    async with serve(AGENT_VERSION="2.1.0", SUPPORT_PROFILE="silently-worse") as site:
        plan = LoadPlan(url=site.url, users=20, rate=60.0, think=0.01, sse=0.2, ws=0.2, sse_interval=0.001)
        async with Load(plan) as load:
            await until(load, done=80)
            site.router.cohort = "candidate"
            await until(load, done=160)
        assert not routing_errors(load.ledger)
        assert not misanswered(load.ledger)
        assert {row.mode for row in load.ledger.rows()} == {"http", "sse", "ws"}
        seen: Counter[tuple[str, str]] = Counter()
        for (version, cohort, outcome), number in outcomes(load.ledger).items():
            assert version == "2.1.0"
            seen[cohort, outcome] += number
        assert dict(seen) == site.outcomes()
        assert seen["candidate", "failure"] > 0
        assert load.counters.done == len(load.ledger) == load.counters.right + load.counters.wrong
        assert load.counters.in_flight == 0
        # Requests last until the ledger has their times, in order.
        assert all(row.sent <= row.first_byte <= row.done for row in load.ledger.rows())


@pytest.mark.asyncio
async def test_a_good_agent_is_right_at_every_question(serve):
    async with serve(SUPPORT_WRONG_PERCENT="0") as site:
        async with Load(LoadPlan(url=site.url, rate=80.0, think=0.0, tasks_per_session=(1, 3))) as load:
            await until(load, done=150)
        assert {verdict for _, _, verdict in counts(load.ledger)} == {"right"}


@pytest.mark.asyncio
async def test_sessions_that_end_are_closed_by_the_agent(serve):
    async with serve(SUPPORT_WRONG_PERCENT="0") as site:
        plan = LoadPlan(
            url=site.url, users=50, rate=60.0, duration=1.0, think=0.0, ws=0.3, tasks_per_session=(1, 3)
        )
        load = Load(plan)
        load.start()
        await load.wait()
        ended = summary(load.ledger)["sessions_ended"]
        assert site.total("agent_sessions_closed") == ended > 0


@pytest.mark.asyncio
async def test_without_a_key_the_minted_one_is_sent_on(serve):
    async with serve() as site:
        async with Load(LoadPlan(url=site.url, users=3, rate=50.0, think=0.0, key_header="")) as load:
            await until(load, done=40)
        users = len({row.user for row in load.ledger.rows()})
        assert site.router.minted == users == 3


@pytest.mark.asyncio
async def test_the_same_seed_asks_the_same_questions(serve):
    async def labels() -> dict[int, list[str]]:
        plan = LoadPlan(url=site.url, users=200, rate=100.0, think=0.0, max_requests=40, seed=7)
        load = Load(plan)
        load.start()
        await load.wait()
        assert len(load.ledger) == 40
        found: dict[int, list[str]] = {}
        for row in load.ledger.rows():
            found.setdefault(row.session, []).append(row.expected)
        return found

    async with serve() as site:
        first, second = await labels(), await labels()
    for session in first.keys() & second.keys():
        shared = min(len(first[session]), len(second[session]))
        assert first[session][:shared] == second[session][:shared]
    assert first.keys() & second.keys()


@pytest.mark.asyncio
async def test_nobody_there_is_a_finding_and_no_exception():
    plan = LoadPlan(url="http://127.0.0.1:9", users=5, rate=100.0, think=0.0, max_requests=20, ws=0.5)
    load = Load(plan)
    load.start()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await load.wait()
    errors = routing_errors(load.ledger)
    assert len(errors) == len(load.ledger) == 20
    assert {row.error for row in errors} == {"connect"}
    assert load.counters.unanswered == 20


@pytest.mark.asyncio
async def test_an_agent_that_never_answers_times_out():
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    plan = LoadPlan(
        url=f"http://127.0.0.1:{port}", users=2, rate=50.0, think=0.0, timeout=0.2, max_requests=2
    )
    load = Load(plan)
    load.start()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await load.wait()
    server.close()
    assert [row.error for row in load.ledger.rows()] == ["timeout", "timeout"]
    assert all(math.isnan(row.first_byte) for row in load.ledger.rows())


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "support.shop"},
        {"rate": 0.0},
        {"users": 0},
        {"tasks_per_session": (3, 2)},
        {"sse": 0.6, "ws": 0.6},
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        LoadPlan(**{"url": "http://support.shop", **wrong})
