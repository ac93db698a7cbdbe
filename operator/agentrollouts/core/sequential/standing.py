"""What a trial says now: whether the candidate goes, may take its next step, or has to earn more."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import NamedTuple

from agentrollouts.core.sequential.trial import Criterion, Trial

SPLIT = 0.001
"""The chance of an alarm about callers who are split as configured."""


class Budget(NamedTuple):
    """How often a whole rollout may err: roll back a version that isn't worse, promote one that is worse by the margin."""

    false_rollback: float = 0.05
    false_promotion: float = 0.05

    @property
    def against(self) -> float:
        """The evidence that takes a candidate out."""
        return 1.0 / self.false_rollback

    def in_favour(self, stage: int, stages: int) -> float:
        """The evidence that lets it take step ``stage`` of ``stages``; the last one needs all of it."""
        return float((1.0 / self.false_promotion) ** (stage / stages))


class Standing(NamedTuple):
    """The evidence of each criterion, in their order."""

    worse: tuple[float, ...]
    """E-values against "not worse"."""
    good: tuple[float | None, ...]
    """E-values against "worse by the margin"; None for a guard that can't promote."""
    weights: tuple[float, ...]
    """Parts of the error budget; 0 where a criterion is observed only."""
    holding: tuple[bool, ...]
    """Which criteria may only hold."""
    split: float
    """The e-value against "callers are split as configured"."""

    @property
    def against(self) -> float:
        """All metrics together; it takes the candidate out from ``Budget.against`` on."""
        return sum(self._parts())

    def rolls_back(self, budget: Budget) -> bool:
        """Whether the candidate goes."""
        return self.against >= budget.against

    def blamed(self, budget: Budget) -> tuple[int, ...]:
        """Which criteria to blame: all that suffice alone; else the one that weighs most."""
        parts = self._parts()
        alone = tuple(at for at, part in enumerate(parts) if part >= budget.against)
        return alone or (max(range(len(parts)), key=parts.__getitem__),)

    def _parts(self) -> list[float]:
        return [
            0.0 if holds else weight * e
            for weight, e, holds in zip(self.weights, self.worse, self.holding, strict=True)
        ]

    def lacking(self, needed: float) -> tuple[int, ...]:
        """Criteria that don't let the candidate advance: too little evidence, or a guard that leans against it."""
        return tuple(
            at
            for at, (good, worse, weight) in enumerate(zip(self.good, self.worse, self.weights, strict=True))
            if weight > 0.0 and (worse > 1.0 if good is None else good < needed)
        )

    @property
    def is_split_wrongly(self) -> bool:
        """Whether routing is broken, so that no verdict is to be trusted."""
        return self.split >= 1.0 / SPLIT


def standing(criteria: Sequence[Criterion], trial: Trial) -> Standing:
    """The evidence as it stands."""
    return Standing(
        worse=tuple([course.worse for course in trial.courses]),
        good=tuple([course.good for course in trial.courses]),
        weights=tuple([criterion.weight for criterion in criteria]),
        holding=tuple([criterion.holds for criterion in criteria]),
        split=exp(trial.split.won),
    )
