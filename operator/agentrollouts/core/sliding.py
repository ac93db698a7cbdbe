"""A window that slides over sums which only grow: sums as they stood are kept, and the oldest subtracted."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentrollouts.core.evidence import Arm, Cell, Totals

MAX_CHECKPOINTS = 128
"""Checkpoints kept for a sliding window: bounds memory and makes the window's edge at most a 128th of it too wide."""


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    weight: float
    """The moment, or how many events there had been."""
    totals: Mapping[Arm, dict[Cell, float]]


@dataclass(slots=True)
class Sliding:
    """What came in the last ``size``, in seconds or events: sums as they stood are kept, and the oldest subtracted."""

    size: float
    _checkpoints: deque[_Checkpoint] = field(default_factory=deque)

    def slide(self, weight: float, total: Mapping[Arm, dict[Cell, float]]) -> Mapping[Arm, Totals]:
        """The sums of the window at ``weight``. ``total``, the sums as they stand, is kept and never changed."""
        edge = self._edge(weight)
        last = self._checkpoints[-1].weight if self._checkpoints else float("-inf")
        if weight - last >= self.size / MAX_CHECKPOINTS and weight > last:
            self._checkpoints.append(_Checkpoint(weight, total))
        if edge is None:
            return total
        return {arm: _since(edge.totals.get(arm, {}), cells) for arm, cells in total.items()}

    def _edge(self, weight: float) -> _Checkpoint | None:
        """The newest checkpoint that is at least a whole window old; older ones are dropped."""
        edge: _Checkpoint | None = None
        while self._checkpoints and weight - self._checkpoints[0].weight >= self.size:
            edge = self._checkpoints.popleft()
        if edge:
            self._checkpoints.appendleft(edge)
        return edge


def _since(before: Totals, now: Totals) -> Totals:
    return {cell: n - before.get(cell, 0.0) for cell, n in now.items()}
