"""What a run needs from the world, as Protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agentrollouts.api.task import TaskRecord
from agentrollouts.improver.budget import Usage
from agentrollouts.improver.outcome import Outcome
from agentrollouts.improver.proposal import Proposal
from agentrollouts.improver.request import Message
from agentrollouts.improver.standing import Agent

Problem = Literal["Unreachable", "Refused", "Nonsense", "KeyRefused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said. ``proposal`` None: nothing that could be read, and ``problem`` says why in words of ours."""

    proposal: Proposal | None
    text: str = ""
    usage: Usage | None = None
    problem: Problem | None = None
    words: str = ""


class Model(Protocol):
    """A language model that is asked for a proposal. What isn't one is an Answer with a problem, never an exception."""

    async def ask(self, messages: Sequence[Message]) -> Answer:
        """One request, never repeated."""


class TasksError(Exception):
    """The task ledger can't be read; the message says why."""


class Tasks(Protocol):
    """Finished tasks of an agent, without those that are held out: whoever writes a prompt never sees what it is judged on."""

    async def failures(self, namespace: str, agent: str) -> Sequence[TaskRecord]:
        """The newest failures that users met. TasksError."""

    async def successes(self, namespace: str, agent: str, version: str) -> Sequence[TaskRecord]:
        """The newest successes of one version. TasksError."""


class Cluster(Protocol):
    """The few things a run reads and writes. Raises ConflictError, GoneError, TransientError or TerminalError."""

    async def agent(self, rollout: str) -> Agent:
        """The Rollout and the versions of its agent."""

    async def user(self) -> str:
        """The name the API server knows us by."""

    async def create_version(self, manifest: Mapping[str, Any]) -> None:
        """Create the AgentVersion; ConflictError if there is one of this name."""

    async def start(self, agent: Agent, version: str) -> None:
        """Set spec.version of the Rollout, if nobody changed it since it was read."""

    async def tell(self, agent: Agent, outcome: Outcome) -> None:
        """An event on the Rollout; never raises."""
