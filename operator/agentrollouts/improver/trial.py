"""A prompt on probation: the old and the new one on the same cases, and what counts as better. Pure but for the Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from agentrollouts.api.scalars import format_percent
from agentrollouts.api.task import TaskRecord
from agentrollouts.improver.cases import Cases

LEAST_GAIN: Final = 2_000
"""Of the failing tasks, in basis points, that must come out right beyond those that the old prompt now gets right as well."""
MOST_LOSS: Final = 200
"""Of the passing tasks, in basis points, that may come out wrong beyond those that the old prompt now gets wrong as well."""


class TrialError(Exception):
    """The prompts couldn't be tried; nothing is known about them."""


class Trial(Protocol):
    """Runs a prompt in isolation: no user sees the answers, and nothing the agent does there lasts."""

    async def run(self, prompt: str, cases: Sequence[TaskRecord]) -> Sequence[bool]:
        """For each case whether its answer is the right one. TrialError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many of the cases one prompt gets right."""

    failing: int
    passing: int


async def score(trial: Trial, prompt: str, cases: Cases) -> Score:
    """One prompt on all cases. TrialError."""
    return Score(
        failing=sum(await trial.run(prompt, cases.failing)),
        passing=sum(await trial.run(prompt, cases.passing)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The old and the new prompt side by side. Both run anew: a model errs by chance, and what failed once would get better by itself."""

    before: Score
    after: Score
    failing: int
    passing: int

    @property
    def evidence(self) -> tuple[str, ...]:
        """For the person who approves."""
        return (
            f"tasks that failed, right with this prompt: {self.after.failing} of {self.failing}, before: {self.before.failing}",
            f"tasks that passed, right with this prompt: {self.after.passing} of {self.passing}, before: {self.before.passing}",
        )

    @property
    def objection(self) -> str:
        """Why the new prompt isn't better, in numbers only; empty when it is."""
        gain, loss = self.after.failing - self.before.failing, self.before.passing - self.after.passing
        if loss * 10_000 > MOST_LOSS * self.passing:
            return (
                f"of {self.passing} tasks that passed {self.after.passing} come out right with it and {self.before.passing} with the "
                f"prompt before; at most {format_percent(MOST_LOSS)} may get lost"
            )
        if gain * 10_000 < LEAST_GAIN * self.failing:
            return (
                f"of {self.failing} tasks that failed {self.after.failing} come out right with it and {self.before.failing} with the "
                f"prompt before; at least {format_percent(LEAST_GAIN)} more must"
            )
        return ""
