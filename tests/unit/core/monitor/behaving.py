"""Sessions of an agent that behaves in a given way: as counters tell them, drawn by chance or exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from agentrollouts.core.evidence import Cell, Totals

TOOLS = {"lookup": 0.55, "refund": 0.25, "search": 0.15, "none": 0.05}
TOPICS = {"billing": 0.5, "delivery": 0.3, "returns": 0.2}
RATES = {"refusal": 0.02, "escalation": 0.05, "thumbsDown": 0.04, "regenerate": 0.03, "takeover": 0.02}
CELLS = {
    "refusal": Cell("agent_session_outcome_fraction_total", "refused"),
    "escalation": Cell("agent_session_outcome_fraction_total", "escalated"),
    "thumbsDown": Cell("agent_session_event_fraction_total", "thumbs_down"),
    "regenerate": Cell("agent_session_event_fraction_total", "regenerate"),
    "takeover": Cell("agent_session_event_fraction_total", "takeover"),
}
SESSIONS = Cell("agent_sessions_closed_total", "idle")
ANSWERED = Cell("agent_sessions_answered_total")
LENGTH = Cell("agent_session_response_length_fraction_total")
SQUARES = Cell("agent_session_response_length_fraction_squares_total")


def tool(name: str) -> Cell:
    return Cell("agent_session_tool_fraction_total", name)


def topic(name: str) -> Cell:
    return Cell("agent_session_topic_fraction_total", name)


@dataclass(frozen=True)
class Way:
    """How an agent behaves. ``length`` is the mean answer as a part of the cap; answers are from nothing to twice that."""

    tools: Mapping[str, float] = field(default_factory=lambda: TOOLS)
    topics: Mapping[str, float] = field(default_factory=lambda: TOPICS)
    rates: Mapping[str, float] = field(default_factory=lambda: RATES)
    length: float = 0.2

    def but(self, **changes: Any) -> Way:
        rates = {**self.rates, **{name: changes.pop(name) for name in list(changes) if name in self.rates}}
        return replace(self, rates=rates, **changes)

    def exactly(self, n: float) -> dict[Cell, float]:
        """So many sessions, without any chance."""
        return {
            SESSIONS: n,
            ANSWERED: n,
            LENGTH: n * self.length,
            SQUARES: n * self.length**2 * 4 / 3,
            **{tool(name): n * part for name, part in self.tools.items()},
            **{topic(name): n * part for name, part in self.topics.items()},
            **{CELLS[event]: n * rate for event, rate in self.rates.items()},
        }

    def drawn(self, chance: Random, n: int) -> dict[Cell, float]:
        """So many sessions of one task."""
        sums = dict.fromkeys(self.exactly(1), 0.0) | {SESSIONS: float(n), ANSWERED: float(n)}
        for cell_of, mix in ((tool, self.tools), (topic, self.topics)):
            for name in chance.choices(list(mix), weights=list(mix.values()), k=n):
                sums[cell_of(name)] += 1
        for event, rate in self.rates.items():
            sums[CELLS[event]] = float(sum(chance.random() < rate for _ in range(n)))
        lengths = [chance.uniform(0.0, 2 * self.length) for _ in range(n)]
        return sums | {LENGTH: sum(lengths), SQUARES: sum(x * x for x in lengths)}


USUAL = Way()


def without(totals: Totals, *metrics: str) -> dict[Cell, float]:
    return {cell: n for cell, n in totals.items() if cell.metric not in metrics}
