"""The adapter, on real PydanticAI runs with an offline model."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from agentrollouts_kit import Reporter, posting, task
from agentrollouts_kit.pydantic_ai import record_run
from agentrollouts_kit.records import write
from tests.kit.reading import Reading

TURNS = [
    [ToolCallPart("lookup", {"order": 0}), ToolCallPart("lookup", {"order": 1})],
    [ToolCallPart("refund", {})],
    [TextPart("It is on its way.")],
]


def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    turn = sum(isinstance(message, ModelResponse) for message in messages)
    usage = RequestUsage(input_tokens=100, output_tokens=10, cost=Decimal("0.002"))
    return ModelResponse(parts=TURNS[turn], usage=usage)


@pytest.mark.asyncio
async def test_a_run_tells_calls_tokens_cost_tools_and_length(reporter: Reporter) -> None:
    agent = Agent(FunctionModel(model))

    @agent.tool_plain
    def lookup(order: int) -> str:
        if not order:
            raise ModelRetry("there is no order 0")
        return "shipped"

    @agent.tool_plain
    def refund() -> str:
        return "done"

    with task(reporter=reporter) as t:
        record_run(t, await agent.run("where is my parcel?"))
    reading = Reading.of(reporter)
    assert reading("agent_llm_calls_total") == 3
    assert reading("agent_llm_tokens_total", direction="input") == 300
    assert reading("agent_llm_tokens_total", direction="output") == 30
    assert reading("agent_task_cost_usd_total") == pytest.approx(0.006)
    assert reading("agent_tool_calls_total", tool="lookup", outcome="success") == 1
    assert reading("agent_tool_calls_total", tool="lookup", outcome="failure") == 1
    assert reading("agent_tool_calls_total", tool="refund", outcome="success") == 1
    assert reading("agent_response_length_chars_sum") == len("It is on its way.")


@pytest.mark.asyncio
async def test_the_answer_itself_is_no_tool(reporter: Reporter) -> None:
    def structured(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=[ToolCallPart(info.output_tools[0].name, {"response": 3})])

    agent: Any = Agent(FunctionModel(structured), output_type=int)
    with task(reporter=reporter) as t:
        record_run(t, await agent.run("how many?"))
    reading = Reading.of(reporter)
    assert reading("agent_tool_calls_total") == 0
    assert reading("agent_llm_calls_total") == 1
    assert reading("agent_response_length_chars_count") == 0


@pytest.mark.asyncio
async def test_the_ledger_gets_what_each_tool_was_asked_and_what_it_answered(
    make_reporter: Callable[..., Reporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting.Posting, "start", lambda _: None)
    reporter = make_reporter(ledger_url="http://127.0.0.1:9")
    turns = [
        [ToolCallPart("lookup", '{"order": 0}'), ToolCallPart("lookup", {"order": 1})],
        [TextPart("It is on its way.")],
    ]

    def two_orders(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse(parts=turns[sum(isinstance(message, ModelResponse) for message in messages)])

    agent = Agent(FunctionModel(two_orders))

    @agent.tool_plain
    def lookup(order: int) -> dict[str, str]:
        if not order:
            raise ModelRetry("there is no order 0")
        return {"state": "shipped"}

    with task(reporter=reporter) as t:
        record_run(t, await agent.run("where is my parcel?"))
    draft = reporter._posting._handover.oldest(1)[0]
    assert draft is not None
    calls = json.loads(write(draft, reporter.identity).line)["toolCalls"]
    told = {(call["error"], str(call["result"]), call["arguments"]["order"]) for call in calls}
    assert told == {("there is no order 0", "None", 0), (None, "{'state': 'shipped'}", 1)}
