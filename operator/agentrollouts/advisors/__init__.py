"""Advisors, one file each and one line in ``ADVISORS``. Their libraries are imported when a rollout first asks for one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from agentrollouts.advisors.endpoint import Endpoint
from agentrollouts.api.advisor import AdvisorSpec
from agentrollouts.core.opinion import NoOpinion, Opinion
from agentrollouts.core.question import Question
from agentrollouts.ports import Advisor


def _openai(endpoint: Endpoint) -> Advisor:
    from agentrollouts.advisors.openai import OpenAIAdvisor

    return OpenAIAdvisor(endpoint)


ADVISORS: Mapping[str, Callable[[Endpoint], Advisor]] = MappingProxyType({"OpenAI": _openai})
"""``spec.advisor.kind`` to what makes it; these may block, and are called in a thread."""


@dataclass(slots=True)
class Advisors:
    """Implements :class:`agentrollouts.ports.Advisor` by asking the one that ``spec.kind`` names."""

    endpoint: Endpoint
    _opened: dict[str, Advisor] = field(default_factory=dict)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def opinion(self, question: Question, *, spec: AdvisorSpec) -> Opinion | NoOpinion:
        """The opinion of the one that is named."""
        async with self._opening:
            if spec.kind not in self._opened:
                # NB: the library takes a second or two to import, and no tick may wait for that.
                self._opened[spec.kind] = await asyncio.to_thread(ADVISORS[spec.kind], self.endpoint)
        return await self._opened[spec.kind].opinion(question, spec=spec)

    async def close(self) -> None:
        """Close every one that was opened."""
        for advisor in self._opened.values():
            await advisor.close()
        self._opened.clear()


__all__ = ["ADVISORS", "Advisors", "Endpoint"]
