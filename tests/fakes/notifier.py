"""A notifier in memory that keeps what it was sent, and fails or hangs where a test says so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from agentrollouts.api.notify import NotifierSpec
from agentrollouts.ports import Delivered, Notice, Undelivered


@dataclass
class FakeNotifier:
    """Implements :class:`agentrollouts.ports.Notifier`. What it answers is by the notifier's name; Delivered by itself."""

    answers: dict[str, Delivered | Undelivered | Exception] = field(default_factory=dict)
    hangs: set[str] = field(default_factory=set)
    """Names of notifiers that never answer."""
    tried: list[tuple[str, Notice]] = field(default_factory=list)
    """(notifier, notice) of every try."""
    got: list[tuple[str, Notice]] = field(default_factory=list)
    """The same of those that were taken."""
    closed: bool = False

    async def send(self, notice: Notice, *, spec: NotifierSpec) -> Delivered | Undelivered:
        self.tried.append((spec.name, notice))
        if spec.name in self.hangs:
            await asyncio.Event().wait()
        answer = self.answers.get(spec.name, Delivered())
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Delivered):
            self.got.append((spec.name, notice))
        return answer

    async def close(self) -> None:
        self.closed = True

    def told(self, name: str) -> list[str]:
        """What a notifier was told of, in order."""
        return [notice.facts.happening for its, notice in self.got if its == name]
