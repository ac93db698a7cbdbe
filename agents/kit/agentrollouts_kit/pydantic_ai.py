"""What a finished PydanticAI run tells about its task: model calls, tokens, cost, tools, length of the answer.

It reads the result by attribute names and imports nothing of PydanticAI, so an agent without it pays nothing.
Written against pydantic-ai-slim 2.68.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

from agentrollouts_kit.task import Task

_CALL_KINDS: Final = ("tool-call", "builtin-tool-call")
_RETURN_KINDS: Final = ("tool-return", "builtin-tool-return")


class _Usage(Protocol):
    requests: int
    input_tokens: int
    output_tokens: int
    cost: Decimal | None


class _Message(Protocol):
    parts: Sequence[Any]


class RunResult(Protocol):
    """The part of `AgentRunResult` and `StreamedRunResult` that is read."""

    @property
    def usage(self) -> Any:
        """`RunUsage` of the whole run."""

    def new_messages(self) -> Iterable[Any]:
        """The messages of this run, without the history it was given."""


def record_run(task: Task, result: RunResult, *, output_tools: Sequence[str] = ("final_result",)) -> None:
    """Add a finished run to its task; the outcome stays the agent's to say.

    A cost that PydanticAI could not determine adds nothing: then call `add_cost` with your own price. A call that the
    model had to repeat, that failed or was denied counts as a failed one. `output_tools` carry the answer: no tools.
    Calls of what `tool` decorates have been reported already.
    """
    usage: _Usage = result.usage
    task.llm_call(
        calls=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=float(usage.cost or 0),
    )
    for call in _tool_calls(result.new_messages()):
        if call.name not in output_tools and call.name not in task.reported_tools:
            arguments = _arguments(call.arguments) if task.recorded else None
            task.tool_call(call.name, ok=call.ok, arguments=arguments, result=call.result, error=call.error)
    if isinstance(output := getattr(result, "output", None), str):
        task.response(output)


class _Call(NamedTuple):
    """What came back from a tool, and what it had been asked, which is in an earlier message."""

    name: str
    ok: bool
    arguments: object
    result: object
    error: str | None


def _tool_calls(messages: Iterable[_Message]) -> Iterable[_Call]:
    asked: dict[object, object] = {}
    for message in messages:
        for part in message.parts:
            identifier = getattr(part, "tool_call_id", None)
            if part.part_kind in _CALL_KINDS:
                asked[identifier] = part.args
            elif part.part_kind in _RETURN_KINDS or (part.part_kind == "retry-prompt" and part.tool_name):
                arguments, ok = asked.get(identifier), getattr(part, "outcome", "") == "success"
                if ok:
                    yield _Call(part.tool_name, ok, arguments, part.content, None)
                else:
                    yield _Call(part.tool_name, ok, arguments, None, str(part.content))


def _arguments(given: object) -> object:
    """PydanticAI keeps them as the model wrote them: a JSON text, or read already."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError):
        return given
