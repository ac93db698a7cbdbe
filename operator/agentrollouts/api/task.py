"""A finished task as the agent's kit posts it to the task ledger, and the label that may come later.

The kit has no pydantic and writes the same JSON by hand; `tests/contract/test_task_record.py` holds both together.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, JsonValue

from agentrollouts.api.base import SpecModel
from agentrollouts.api.scalars import AgentName, NamespaceName, Semver, Time

MOST_BYTES: Final = 262_144
"""The largest record, in bytes of its canonical JSON."""
MOST_TOOL_CALLS: Final = 256
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")

TaskOutcome = Literal["success", "failure", "refused", "escalated"]
TaskCohort = Literal["candidate", "stable", "control", "none"]
TaskFeedback = Literal["thumbs_down", "regenerate", "takeover"]


def _in_utc(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _TIME.fullmatch(value)):
        return value
    raise ValueError(
        f"expected a time of RFC 3339 in UTC, such as 2026-11-05T10:00:00Z; got {str(value)[:40]!r}"
    )


TaskId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
TaskTime = Annotated[Time, BeforeValidator(_in_utc)]


class ToolCall(SpecModel):
    """One call of a tool with what it answered. ``duration_seconds`` None: nobody measured it."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    arguments: JsonValue = None
    result: JsonValue = None
    error: Annotated[str, Field(max_length=1024)] | None = None
    duration_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


class TaskRecord(SpecModel):
    """One finished task.

    ``id`` is made by the kit, so that a task that is posted twice is stored once. ``namespace`` belongs to the agent's name: two
    agents of one name in two namespaces are two agents. ``digest`` is that of the release, empty
    where the agent wasn't told; ``session`` is the kit's digest of the session key, empty for a task without one.
    ``cost_dollars`` is a decimal number in a string; None: no cost was told. ``expected`` is the right answer where somebody
    knows it. ``shadow``: nobody waited for the answer as a user does.
    """

    id: TaskId
    namespace: NamespaceName
    agent: AgentName
    version: Semver
    digest: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    cohort: TaskCohort
    session: Annotated[str, Field(pattern=r"^([0-9a-f]{26})?$")] = ""
    started_at: TaskTime
    finished_at: TaskTime
    outcome: TaskOutcome
    input: JsonValue
    output: JsonValue = None
    tool_calls: Annotated[tuple[ToolCall, ...], Field(max_length=MOST_TOOL_CALLS)] = ()
    expected: JsonValue = None
    feedback: Annotated[tuple[TaskFeedback, ...], Field(max_length=3)] = ()
    cost_dollars: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?$")] | None = None
    llm_calls: Annotated[int, Field(ge=0, le=2**53)] = 0
    refusal: bool = False
    shadow: bool = False


class TaskLabel(SpecModel):
    """What became known after a task had ended: the right answer, and the outcome where the agent's own word was wrong."""

    expected: JsonValue
    outcome: TaskOutcome | None = None


def canonical(record: TaskRecord) -> str:
    """The record as canonical JSON: keys sorted, no spaces, characters as they are.

    Raises:
        ValueError: a number is not finite, which JSON can't say.
    """
    document = record.model_dump(mode="json", by_alias=True)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
