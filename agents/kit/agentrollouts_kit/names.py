"""The declared names of a process and where each counts: label values come from here and never from a request."""

from __future__ import annotations

from agentrollouts_kit.settings import Settings


class Names:
    """The tools, scores and topics of one process, each by its index in the layout."""

    __slots__ = ("_scores", "_tools", "_topics")

    def __init__(self, settings: Settings) -> None:
        self._tools, self._scores, self._topics = (
            {name: index for index, name in enumerate(names)}
            for names in (settings.tools, settings.scores, settings.topics)
        )

    def tool(self, name: str) -> int:
        """The index of a declared tool, or that of `other`."""
        return self._tools.get(name, len(self._tools))

    def score(self, name: str) -> int | None:
        """The index of a declared score; None for another."""
        return self._scores.get(name) if isinstance(name, str) else None

    def topic(self, name: str) -> int | None:
        """The index of a declared topic, or that of `other`; None where no topic is declared, or what was given is no name."""
        if not self._topics or not isinstance(name, str):
            return None
        return self._topics.get(name, len(self._topics))
