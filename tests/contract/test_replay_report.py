"""The kit writes the report of a replayed task by hand and reads the record, the replayer the other way round: both agree."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.attempt import Told
from agentrollouts.replay.recordings import Recordings
from agentrollouts_kit.replay import Replay
from agentrollouts_kit.replay_call import fetch_calls, send_report
from agentrollouts_kit.tally import Tally
from tests.replay.lanes import document

TEXT = st.text() | st.text(st.characters(categories=["Cs", "Cc"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
CALLS = st.lists(
    st.fixed_dictionaries(
        {
            "name": TEXT,
            "arguments": VALUES,
            "error": st.none() | TEXT,
            "source": st.sampled_from(["recorded", "told"]),
        }
    ),
    max_size=4,
)


def told(replay: Replay, record: TaskRecord) -> tuple[Any, Told]:
    """What the kit reads of a record, and what the replayer reads of the report."""

    async def exchange(recordings: Recordings) -> tuple[Any, Told]:
        url = f"http://127.0.0.1:{recordings.port}"
        with recordings.attempt(record) as attempt:
            calls = await asyncio.to_thread(fetch_calls, url, attempt.token)
            await asyncio.to_thread(send_report, url, attempt.token, {"version": "1.0.0", **replay.report()})
            return calls, await attempt.told

    with Recordings("127.0.0.1", 0) as recordings:
        return asyncio.run(exchange(recordings))


@given(CALLS, VALUES, st.floats(0, 1e9), st.integers(0, 10**9))
@settings(max_examples=40, deadline=None)
def test_whatever_an_agent_does_the_replayer_hears_of_it(
    calls: list[dict[str, Any]], output: object, cost: float, tokens: int
) -> None:
    replay = Replay(safe_tools=("look",))
    for call in calls:
        replay.note(**call)
    replay.tell_output(output)
    replay.finish(Tally(cohort=0, started=0.0, cost_usd=cost, input_tokens=tokens), "success")
    _, found = told(replay, TaskRecord.model_validate(document(1)))
    assert [call.source for call in found.calls] == [call["source"] for call in calls]
    assert (found.outcome, found.has_output, found.safe_tools) == ("success", True, ("look",))
    assert (found.usage.input_tokens, found.usage.cost_dollars) == (tokens, cost or None)


def test_what_is_on_record_is_what_a_tool_gets() -> None:
    calls = [
        {"name": "look", "arguments": {"order": "A-1", "n": 1.0}, "result": {"ä": [1, None]}},
        {"name": "pay", "arguments": {}, "error": "declined"},
    ]
    found, _ = told(Replay(), TaskRecord.model_validate(document(1, toolCalls=calls)))
    replay = Replay(found)
    assert replay.answer("look", {"n": 1, "order": "A-1"}).result == {"ä": [1, None]}
    assert replay.answer("pay", {}).error == "declined"


def test_the_largest_report_is_taken() -> None:
    replay = Replay()
    for _ in range(2000):
        replay.note("n" * 500, arguments={"text": "😀" * 300}, error="😀" * 5000)
    _, found = told(replay, TaskRecord.model_validate(document(1)))
    assert len(found.calls) == 1000
