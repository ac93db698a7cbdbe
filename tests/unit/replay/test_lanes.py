"""Asking lanes: what is tried again, what is an answer, and what ends everything. Against real HTTP servers."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from agentrollouts.replay.agent import LARGEST, Answer
from agentrollouts.replay.attempt import Attempt, Lane, Told
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.lane import Asking, LaneClient
from agentrollouts.replay.pace import Pace
from agentrollouts.replay.plan import chosen
from agentrollouts.replay.recordings import Recordings
from agentrollouts.replay.run import run
from tests.fakes.replaying import Agent
from tests.replay.lanes import free_port
from tests.unit.replay.made import record

PACE = Pace(concurrency=3, retries=2, pause=0.0)
ABOUT = {"seed": "s"}


@pytest.fixture
def recordings() -> Iterator[Recordings]:
    with Recordings("127.0.0.1", 0) as found:
        yield found


@pytest.fixture
def agents(recordings: Recordings) -> Iterator[dict[Lane, Agent]]:
    made = {lane: Agent(f"http://127.0.0.1:{recordings.port}") for lane in Lane}
    yield made
    for agent in made.values():
        agent.close()


Play = Callable[..., dict[tuple[str, Lane], Attempt]]


@pytest.fixture
def play(recordings: Recordings, agents: dict[Lane, Agent], tmp_path: Path) -> Play:
    def _play(
        count: int = 1, *, timeout: float = 30.0, urls: dict[Lane, str] | None = None, **fields: Any
    ) -> Any:
        where = {lane: agent.url for lane, agent in agents.items()} | (urls or {})

        async def all_of_it(journal: Journal) -> None:
            async with httpx.AsyncClient(trust_env=False) as client:
                clients = {
                    lane: LaneClient(client, recordings, lane, url, Asking(timeout))
                    for lane, url in where.items()
                }
                await run(plan, clients, journal, PACE, lambda done, total: told.append((done, total)))

        told: list[tuple[int, int]] = []
        with Journal(tmp_path / "journal", ABOUT) as journal:
            plan = chosen([record(n, **fields) for n in range(count)], count, seed="s")
            asyncio.run(all_of_it(journal))
            assert told[-1] == (2 * count, 2 * count)
            return journal.kept.done

    return _play


def test_both_lanes_do_each_task_and_tell_what_they_did(play: Play, agents: dict[Lane, Agent]) -> None:
    calls = [{"name": "look", "arguments": {"order": "1"}, "result": "x"}]
    done = play(3, toolCalls=calls)
    assert len(done) == 6
    for (_, lane), attempt in done.items():
        assert (attempt.lane, attempt.answer, attempt.error) == (lane, {"label": "paid"}, "")
        assert [(call.name, call.source) for call in attempt.told.calls] == [("look", "recorded")]
        assert attempt.latency_seconds > 0
    assert all(len(agent.asked) == 3 for agent in agents.values())


def test_an_input_that_is_no_object_is_put_into_a_field(play: Play, agents: dict[Lane, Agent]) -> None:
    play(1, input="Where is it?")
    assert agents[Lane.CANDIDATE].asked == [{"input": "Where is it?"}]


def test_a_broken_connection_is_tried_again_and_then_is_no_answer(
    play: Play, agents: dict[Lane, Agent]
) -> None:
    agents[Lane.CANDIDATE].break_first = PACE.retries
    agents[Lane.INCUMBENT].break_first = PACE.retries + 1
    done = play(1)
    mine, theirs = (done[record(0).id, lane] for lane in (Lane.CANDIDATE, Lane.INCUMBENT))
    assert (mine.answer, len(agents[Lane.CANDIDATE].asked)) == ({"label": "paid"}, PACE.retries + 1)
    assert (theirs.answer, len(agents[Lane.INCUMBENT].asked)) == (None, PACE.retries + 1)
    assert theirs.error.startswith("the connection broke")


def test_a_status_of_failure_is_an_answer_and_is_asked_once(play: Play, agents: dict[Lane, Agent]) -> None:
    agents[Lane.CANDIDATE].status = 500
    found = play(1)[record(0).id, Lane.CANDIDATE]
    assert (found.answer, found.error.partition(":")[0]) == ({"label": "paid"}, "status 500")
    assert len(agents[Lane.CANDIDATE].asked) == 1


def test_an_answer_that_doesnt_come_in_time_is_none(play: Play, agents: dict[Lane, Agent]) -> None:
    agents[Lane.CANDIDATE].gate = gate = Event()
    try:
        found = play(1, timeout=1.0)[record(0).id, Lane.CANDIDATE]
    finally:
        gate.set()
    assert (found.answer, found.error) == (None, "no answer within 1 s")
    assert len(agents[Lane.CANDIDATE].asked) == 1


def test_an_answer_without_an_end_is_none(play: Play, agents: dict[Lane, Agent]) -> None:
    agents[Lane.CANDIDATE].endless = True
    found = play(1)[record(0).id, Lane.CANDIDATE]
    assert (found.answer, found.error) == (None, f"the answer is longer than {LARGEST} bytes")


def test_an_answer_that_is_nested_too_deeply_is_no_json() -> None:
    with pytest.raises(ValueError, match="nested"):
        Answer(httpx.Response(200, text="[" * 100_000), 0.0, Told()).decoded()


def test_no_more_are_asked_at_once_than_is_said(play: Play, agents: dict[Lane, Agent]) -> None:
    gates = [Event() for _ in agents]
    for agent, gate in zip(agents.values(), gates, strict=True):
        agent.gate = gate
    both = agents.values()

    def open_when_full() -> None:
        while sum(agent.running for agent in both) < PACE.concurrency:
            pass
        for gate in gates:
            gate.set()

    opener = Thread(target=open_when_full, daemon=True)
    opener.start()
    play(10)
    opener.join(30)
    assert not opener.is_alive(), "as many as may be were never in flight"
    assert max(agent.most for agent in both) <= PACE.concurrency


@pytest.mark.parametrize("lane", list(Lane))
def test_who_doesnt_say_beforehand_that_it_replays_isnt_asked(
    play: Play, agents: dict[Lane, Agent], lane: Lane
) -> None:
    agents[lane].says_before = False
    with pytest.raises(ReplayError, match=f"the {lane} at .* doesn't say that it is in replay mode"):
        play(5)
    assert all(agent.asked == [] for agent in agents.values())


def test_each_task_is_asked_for_by_itself(play: Play, agents: dict[Lane, Agent]) -> None:
    """Another pod may be behind the address by then."""
    agents[Lane.CANDIDATE].says_times = 2
    with pytest.raises(ReplayError, match="doesn't say that it is in replay mode"):
        play(20)
    assert len(agents[Lane.CANDIDATE].asked) <= 1


def test_an_answer_that_was_no_replay_ends_everything(play: Play, agents: dict[Lane, Agent]) -> None:
    agents[Lane.CANDIDATE].says_after = False
    with pytest.raises(ReplayError, match="nothing more is asked"):
        play(40)
    assert len(agents[Lane.CANDIDATE].asked) <= PACE.concurrency


def test_a_gateway_that_fails_was_no_replay_either(play: Play, agents: dict[Lane, Agent]) -> None:
    """Who is behind it may have done the task for real, so it isn't asked once more."""
    agents[Lane.CANDIDATE].says_after, agents[Lane.CANDIDATE].status = False, 502
    agents[Lane.CANDIDATE].reports = False
    with pytest.raises(ReplayError, match="nothing more is asked"):
        play(1)
    assert len(agents[Lane.CANDIDATE].asked) == 1


def test_an_agent_whose_kit_tells_nothing_ends_everything(play: Play, agents: dict[Lane, Agent]) -> None:
    agents[Lane.CANDIDATE].reports = False
    with pytest.raises(ReplayError, match="its kit didn't tell what it did"):
        play(1, timeout=0.5)


def test_without_a_connection_the_replay_ends_and_goes_on_later(
    play: Play, agents: dict[Lane, Agent]
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/"
    with pytest.raises(ReplayError, match=r"the candidate at .* can't be reached: .*go on"):
        play(2, urls={Lane.CANDIDATE: nowhere})
    assert agents[Lane.INCUMBENT].asked == []
    assert len(play(2)) == 4


def test_a_token_opens_its_record_until_the_attempt_is_over(recordings: Recordings) -> None:
    async def look() -> tuple[str, Any]:
        with recordings.attempt(record(1)) as attempt:
            return attempt.token, await asyncio.to_thread(_get, recordings, attempt.token)

    token, found = asyncio.run(look())
    assert found == (200, {"task": record(1).id, "calls": []})
    for path in (token, "00" * 16, "", "../replays"):
        assert _get(recordings, path)[0] == 404


def _get(recordings: Recordings, token: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{recordings.port}/v1/replays/{token}", timeout=10
        ) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None
