"""What an agent process reports, against what its callers know, with the process killed again and again.

A caller knows of each request: `done` was read: the task counts once, with the outcome asked for. `begun` was read but
not `done`: it counts once, as a failure if the kill came before its end, else as asked. Neither was read: it counts at
most once. The first test leaves no room for the last two; the second measures how much there was.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.kit.process import AgentProcess
from tests.kit.reading import Reading

COHORTS = ("candidate", "stable", "control", "none")
OUTCOMES = ("success", "failure", "refused", "escalated")
Call = tuple[str, str, str]
"""Cohort, session, outcome."""


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AgentProcess]:
    process = AgentProcess(tmp_path)
    yield process
    process.close()


@dataclass(frozen=True)
class Told:
    """How far each request is known to have come."""

    call: Call
    begun: bool
    done: bool


async def ask(client: httpx.AsyncClient, url: str, call: Call, *, hold: bool = False) -> Told | None:
    """Send one request; None when the process was not there at all. Returns early from one that is held."""
    cohort, session, outcome = call
    headers = {"x-agent-cohort": cohort, "x-agent-session": session}
    said = ""
    try:
        async with client.stream(
            "GET", url, params={"outcome": outcome} | ({"hold": "1"} if hold else {}), headers=headers
        ) as answer:
            async for text in answer.aiter_text():
                said += text
    except httpx.ConnectError:
        return None
    except httpx.TransportError:
        pass
    return Told(call, "begun" in said, "done" in said)


def check_against(reading: Reading, told: list[Told]) -> int:
    """Every count within what the callers know; the number of tasks they cannot know of."""
    for cohort in COHORTS:
        mine = [t for t in told if t.call[0] == cohort]
        done = Counter(t.call[2] for t in mine if t.done)
        broken = Counter(t.call[2] for t in mine if t.begun and not t.done)
        unknown = [t for t in mine if not t.begun]
        total = reading("agent_tasks_total", cohort=cohort)
        certain = sum(done.values()) + sum(broken.values())
        assert certain <= total <= certain + len(unknown)
        for outcome in OUTCOMES:
            count = reading("agent_tasks_total", cohort=cohort, outcome=outcome)
            interrupted = sum(broken.values()) + len(unknown) if outcome == "failure" else broken[outcome]
            late = sum(t.call[2] == outcome for t in unknown)
            assert done[outcome] <= count <= done[outcome] + interrupted + late
        assert reading("agent_task_duration_seconds_count", cohort=cohort) == total
        sessions = {t.call[1] for t in mine if t.begun}
        perhaps = {t.call[1] for t in unknown} - sessions
        assigned = reading("agent_sessions_assigned_total", cohort=cohort)
        assert len(sessions) <= assigned <= len(sessions) + len(perhaps)
    return sum(not t.done for t in told)


@pytest.mark.asyncio
async def test_a_kill_in_the_middle_of_known_tasks_is_counted_exactly(agent: AgentProcess) -> None:
    truth: Counter[tuple[str, str]] = Counter()
    async with httpx.AsyncClient(timeout=60) as client:
        for life in range(3):
            agent.start()
            for number in range(40):
                call = (COHORTS[number % 4], f"user-{number % 7}", OUTCOMES[number // 4 % 4])
                told = await ask(client, agent.url, call)
                assert told is not None and told.done
                truth[call[0], call[2]] += 1
            held = []
            for number in range(5 + life):
                call = (COHORTS[number % 4], f"held-{life}-{number}", "success")
                held.append(await hold(agent, call))
                truth[call[0], "failure"] += 1
            agent.kill()
            for running in held:
                await running
    agent.start()
    reading = agent.stop_while_scraped()
    counted = {(c, o): reading("agent_tasks_total", cohort=c, outcome=o) for c in COHORTS for o in OUTCOMES}
    assert counted == {(c, o): truth[c, o] for c in COHORTS for o in OUTCOMES}
    # A task that was killed takes its cost and calls with it; all others are exact.
    assert reading("agent_task_cost_usd_total") == 0.125 * 120
    assert reading("agent_tool_calls_total", tool="lookup") == 120
    for cohort in COHORTS:
        users = len({number % 7 for number in range(40) if COHORTS[number % 4] == cohort})
        sessions = users + sum(COHORTS[n % 4] == cohort for life in range(3) for n in range(5 + life))
        assert reading("agent_sessions_assigned_total", cohort=cohort) == sessions
        assert reading("agent_sessions_closed_total", cohort=cohort) == sessions
        fractions = sum(
            reading("agent_session_outcome_fraction_total", cohort=cohort, outcome=o) for o in OUTCOMES
        )
        assert fractions == pytest.approx(sessions)
        # Of the tasks that were killed no events are known, and their sessions have no score.
        for event, outcome in (("tool_failure", "failure"), ("intervention", "escalated")):
            found = reading("agent_session_event_fraction_total", cohort=cohort, event=event)
            assert found == pytest.approx(session_fractions(cohort, outcome))
            assert found > 0
        assert reading("agent_session_scores_total", cohort=cohort) == users
        assert reading("agent_session_score_sum_total", cohort=cohort) == users / 4


def session_fractions(cohort: str, outcome: str) -> float:
    """The sum over the users of the first test of the fraction of their requests that asked for the outcome."""
    asked: dict[int, list[bool]] = {}
    for number in range(40):
        if COHORTS[number % 4] == cohort:
            asked.setdefault(number % 7, []).append(OUTCOMES[number // 4 % 4] == outcome)
    return sum(sum(hits) / len(hits) for hits in asked.values())


async def hold(agent: AgentProcess, call: Call) -> asyncio.Task[None]:
    """A request whose task has begun and never ends; the background task that waits for its end."""
    begun = asyncio.Event()

    async def wait() -> None:
        headers = {"x-agent-cohort": call[0], "x-agent-session": call[1]}
        async with httpx.AsyncClient(timeout=60) as client:
            try:
                async with client.stream(
                    "GET", agent.url, params={"outcome": call[2], "hold": "1"}, headers=headers
                ) as answer:
                    async for _ in answer.aiter_text():
                        begun.set()
            except httpx.TransportError:
                pass

    running = asyncio.create_task(wait())
    await asyncio.wait_for(begun.wait(), 60)
    return running


@pytest.mark.asyncio
async def test_kills_at_random_moments_under_load_lose_and_invent_nothing(agent: AgentProcess) -> None:
    rng = random.Random(20261120)
    told: list[Told] = []
    over = asyncio.Event()

    async def user(number: int) -> None:
        async with httpx.AsyncClient(timeout=60) as client:
            while not over.is_set():
                call = (rng.choice(COHORTS), f"user-{number}-{rng.randrange(20)}", rng.choice(OUTCOMES))
                answer = await ask(client, agent.url, call)
                if answer is None:
                    await asyncio.sleep(0.01)
                else:
                    told.append(answer)

    agent.start()
    users = [asyncio.create_task(user(number)) for number in range(8)]
    previous = 0.0
    for _ in range(6):
        target = len(told) + rng.randrange(50, 250)
        while len(told) < target:  # noqa: ASYNC110 - the moment of the kill is to be random
            await asyncio.sleep(rng.random() / 50)
        await asyncio.to_thread(agent.kill)
        await asyncio.to_thread(agent.start)
        scraped = (await asyncio.to_thread(agent.scrape))("agent_tasks_total")
        assert scraped >= previous, "a restart took counts away"
        previous = scraped
    over.set()
    await asyncio.gather(*users)
    reading = await asyncio.to_thread(agent.stop_while_scraped)
    unsure = check_against(reading, told)
    assert unsure <= 6 * len(users), "a kill breaks at most the requests in flight"
    assert reading("agent_sessions_closed_total") == reading("agent_sessions_assigned_total")
