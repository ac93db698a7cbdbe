"""An advisor in memory that says what a test tells it to, or nothing until it is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from agentrollouts.api.advisor import AdvisorSpec
from agentrollouts.core.opinion import NoOpinion, Opinion
from agentrollouts.core.question import Question


@dataclass
class FakeAdvisor:
    """Implements :class:`agentrollouts.ports.Advisor`. ``hangs``: it never answers."""

    says: Opinion | NoOpinion | Exception = field(
        default_factory=lambda: Opinion("proceed", 9_000, "fine", (), 100)
    )
    hangs: bool = False
    asked: list[Question] = field(default_factory=list)
    closed: bool = False

    async def opinion(self, question: Question, *, spec: AdvisorSpec) -> Opinion | NoOpinion:
        self.asked.append(question)
        if self.hangs:
            await asyncio.Event().wait()
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    async def close(self) -> None:
        self.closed = True
