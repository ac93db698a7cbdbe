"""Rollouts whose truth is known, judged by success alone. A tick is a minute; a look happens every tick."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Literal

STEPS = ((0.05, 0.05, 0.90), (0.20, 0.20, 0.60), (0.50, 0.50, 0.0))
"""Shares of candidate, control and stable, by step. Advancing from the last one is the promotion."""
MARGIN, ERROR = 0.05, 0.05
"""How much worse is too bad to be promoted, and the budget of either mistake."""
DAY = 720
"""Ticks from one quiet hour to the next, where success drifts."""
ROUNDING = 1e-9

Truth = Literal["good", "bad", "between"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of rollout.

    ``before`` is the old version's success rate, ``effect`` what the candidate adds to it from tick ``onset`` on, ``rate`` the
    candidate's tasks a tick in the first step. ``drift`` is how far all success falls and recovers within a ``DAY``.
    ``tied`` is the part of the sessions whose ten tasks share one fate; without it a task is a session. ``gated``: the
    first step waits for a person, so nothing is ever promoted.
    """

    name: str
    effect: float = 0.0
    before: float = 0.97
    rate: float = 20.0
    ticks: int = 1440
    drift: float = 0.0
    tied: float = 0.0
    onset: int = 0
    gated: bool = False

    @property
    def per_tick(self) -> int:
        """Tasks of a session in a tick."""
        return 2 if self.tied else 1

    @property
    def lasting(self) -> int:
        """Ticks of a session."""
        return 5 if self.tied else 1

    @property
    def size(self) -> int:
        """Tasks of a session."""
        return self.per_tick * self.lasting

    @property
    def truth(self) -> Truth:
        """Whether a rollback is right, promotion is, or neither would be wrong."""
        if self.effect <= -MARGIN + ROUNDING:
            return "bad"
        return "good" if self.effect >= 0.0 else "between"

    def sessions(self, step: int) -> tuple[float, float, float]:
        """Sessions expected to begin in a tick, by cohort."""
        whole = self.rate / STEPS[0][0] / self.size
        candidate, control, stable = STEPS[step]
        return whole * candidate, whole * control, whole * stable

    def success(self, tick: int) -> tuple[float, float]:
        """Success rates (candidate, old version) at a tick."""
        old = self.before - self.drift * 0.5 * (1.0 - cos(2.0 * pi * tick / DAY))
        new = old + (self.effect if tick >= self.onset else 0.0)
        return min(0.999, max(0.001, new)), min(0.999, max(0.001, old))


S = Scenario
SCENARIOS = (
    S("aa"),
    S("aa_low", rate=1.0),
    S("aa_high", rate=1000.0),
    S("aa_p85", before=0.85),
    S("aa_drift", drift=0.12),
    S("aa_sticky", tied=0.5),
    S("aa_drift_gated", drift=0.12, gated=True),
    S("aa_10k_gated", ticks=10_000, gated=True),
    S("aa_10k_sticky", ticks=10_000, tied=0.5, gated=True),
    S("plus3", 0.03, before=0.96),
    S("minus2", -0.02),
    S("minus5", -0.05),
    S("minus10", -0.10),
    S("minus30", -0.30),
    S("minus80", -0.80),
    S("minus10_low", -0.10, rate=1.0),
    S("minus30_low", -0.30, rate=1.0),
    S("minus80_low", -0.80, rate=1.0),
    S("minus5_high", -0.05, rate=1000.0),
    S("minus10_drift", -0.10, drift=0.12),
    S("minus10_sticky", -0.10, tied=0.5),
    S("minus10_p85", -0.10, before=0.85),
    S("late30_gated", -0.30, onset=600, gated=True),
)
