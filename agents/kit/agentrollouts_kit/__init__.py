"""Outcome reporting for agents under Agent Rollouts.

from agentrollouts_kit import OutcomeMiddleware, task

app = OutcomeMiddleware(app)          # reads the router's headers, serves /metrics on its own port

with task() as t:                     # or @task on a function
    ...
    t.success()                       # or t.fail("why"), t.refuse(), t.escalate()
"""

from __future__ import annotations

from agentrollouts_kit.asgi import OutcomeMiddleware
from agentrollouts_kit.context import RequestContext, request_context
from agentrollouts_kit.default import (
    close_session,
    current_task,
    default_reporter,
    feedback,
    task,
    use_reporter,
)
from agentrollouts_kit.drain import DrainReport
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.models import Model, model
from agentrollouts_kit.propagation import propagate, propagate_async, propagation_headers
from agentrollouts_kit.release import LoadedRelease, ReleaseError, ReleaseMismatchError, load_release
from agentrollouts_kit.reporter import Reporter
from agentrollouts_kit.settings import Settings
from agentrollouts_kit.task import Task
from agentrollouts_kit.tool import ToolReplayError, tool
from agentrollouts_kit.vocabulary import Outcome

__all__ = [
    "DrainReport",
    "Identity",
    "LoadedRelease",
    "Model",
    "Outcome",
    "OutcomeMiddleware",
    "ReleaseError",
    "ReleaseMismatchError",
    "Reporter",
    "RequestContext",
    "Settings",
    "Task",
    "ToolReplayError",
    "close_session",
    "current_task",
    "default_reporter",
    "feedback",
    "load_release",
    "model",
    "propagate",
    "propagate_async",
    "propagation_headers",
    "request_context",
    "task",
    "tool",
    "use_reporter",
]
