"""What one lane made of one task."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, JsonValue

from agentrollouts.api.base import StatusModel
from agentrollouts.api.task import TaskRecord
from agentrollouts.replay.calls import Call


class Lane(StrEnum):
    """Who does a task again. The incumbent does, too, so that how much it differs from itself is known."""

    CANDIDATE = "candidate"
    INCUMBENT = "incumbent"


LANES: Final = (Lane.CANDIDATE, Lane.INCUMBENT)


class Usage(StatusModel):
    """What a task took, as the agent's kit tells it. ``cost_dollars`` None: no cost was told."""

    cost_dollars: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    llm_calls: Annotated[int, Field(ge=0)] = 0
    input_tokens: Annotated[int, Field(ge=0)] = 0
    output_tokens: Annotated[int, Field(ge=0)] = 0


class Told(StatusModel):
    """The kit's report of one replayed task. ``output`` is there only where the agent recorded another one than its HTTP answer.

    ``safe_tools`` are those that the agent may call for real, whatever they were asked here.
    """

    version: str = ""
    digest: str = ""
    outcome: str = ""
    calls: tuple[Call, ...] = ()
    usage: Usage = Usage()
    output: JsonValue = None
    has_output: bool = False
    safe_tools: tuple[str, ...] = ()


class Attempt(StatusModel):
    """One task in one lane. ``answer`` is the decoded body; ``error`` says why there is none, or that it came with a status of failure."""

    task: str
    lane: Lane
    answer: JsonValue = None
    error: str = ""
    latency_seconds: Annotated[float, Field(ge=0)] = 0.0
    told: Told = Told()


def recorded_calls(record: TaskRecord) -> tuple[Call, ...]:
    """The calls of the record, in their order."""
    return tuple(
        Call(name=call.name, arguments=call.arguments, error=call.error) for call in record.tool_calls
    )
