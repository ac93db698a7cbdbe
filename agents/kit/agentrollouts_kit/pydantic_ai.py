"""What a finished PydanticAI run tells about its task: model calls, tokens, cost, tools, length of the answer.

It reads the result by attribute names and imports nothing of PydanticAI, so an agent without it pays nothing.
Written against pydantic-ai-slim 2.68.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

from agentrollouts_kit.task import Task

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
    """
    usage: _Usage = result.usage
    task.llm_call(
        calls=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=float(usage.cost or 0),
    )
    for name, ok in _tool_calls(result.new_messages()):
        if name not in output_tools:
            task.tool_call(name, ok=ok)
    if isinstance(output := getattr(result, "output", None), str):
        task.response(output)


def _tool_calls(messages: Iterable[_Message]) -> Iterable[tuple[str, bool]]:
    for message in messages:
        for part in message.parts:
            if part.part_kind in _RETURN_KINDS:
                yield part.tool_name, part.outcome == "success"
            elif part.part_kind == "retry-prompt" and part.tool_name:
                yield part.tool_name, False
