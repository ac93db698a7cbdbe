"""All that this agent has to do to report outcomes: one middleware around the app, one context around each task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.types import ASGIApp

from agentrollouts_kit import OutcomeMiddleware, Reporter, Task, task, use_reporter
from support_agent.desk import Desk
from support_agent.questions import Intent, intent_of
from support_agent.tools import TOOL_NAMES
from support_agent.validation import Outcome

TOPICS: Final = tuple(intent.value for intent in Intent)
"""What the tasks are about, told from the question: it doesn't ask the model, so that a model can't hide what changed."""
# A desk is thrown away with its task, refunds and all: nothing lasts, so a task may be asked again as a shadow.
REPORTING: Final[dict[str, Any]] = {
    "tools": TOOL_NAMES,
    "topics": TOPICS,
    "shadow_answers": True,
    "shadow_field": "answer",
}


def reporting(app: ASGIApp, reporter: Reporter | None = None) -> OutcomeMiddleware:
    """The app with its outcomes reported; the middleware serves /metrics and drains the counts at the end."""
    return OutcomeMiddleware(app, use_reporter(reporter or Reporter(**REPORTING)))


@contextmanager
def reported(desk: Desk, cost_of: Callable[[Desk], float]) -> Iterator[Task]:
    """One task. Whatever ends it, the report has what was on the desk by then; an exception counts as a failure."""
    with task() as current:
        try:
            yield current
        finally:
            _fill(current, desk, cost_usd=cost_of(desk))


def _fill(current: Task, desk: Desk, *, cost_usd: float) -> None:
    usage = desk.usage
    current.llm_call(
        calls=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=cost_usd,
    )
    current.topic(intent_of(desk.text).value)
    for tool, ok in desk.tool_calls:
        if tool not in current.reported_tools:
            current.tool_call(tool, ok=ok)
    for _ in desk.reversed_refunds:
        current.destructive_rollback()
    if desk.handed_over:
        current.intervention()
    if desk.verdict is not None:
        current.record_expected({"label": desk.verdict.expected})
        _say(current, desk.verdict.outcome)


def _say(current: Task, outcome: Outcome) -> None:
    match outcome:
        case "success":
            current.success()
        case "failure":
            current.fail("the answer contradicts the records")
        case "refused":
            current.refuse()
        case "escalated":
            current.escalate()
