"""The turns with a model: each answer is looked at and tried, and the next turn is taken only where the budget covers the most it can cost."""

from __future__ import annotations

from dataclasses import dataclass

from agentrollouts.improver.budget import Budget
from agentrollouts.improver.cases import Cases
from agentrollouts.improver.ports import Answer, Model
from agentrollouts.improver.proposal import Proposal, objection
from agentrollouts.improver.request import Conversation, TooLittleRoomError, open_conversation
from agentrollouts.improver.trial import Comparison, Score, Trial, TrialError, score

_FINAL = frozenset({"Unreachable", "Refused", "KeyRefused"})
"""Problems that another turn wouldn't mend."""


class StoppedError(Exception):
    """No proposal came of it; ``budget`` is what it cost."""

    def __init__(self, reason: str, sentence: str, budget: Budget) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.budget = budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A proposal that was looked at and tried."""

    proposal: Proposal
    comparison: Comparison
    budget: Budget


@dataclass(slots=True, kw_only=True)
class Writer:
    """Asks until an answer holds, or the budget ends."""

    model: Model
    trial: Trial
    canary: str

    async def write(self, prompt: str, cases: Cases, budget: Budget) -> Draft:
        """The first proposal that holds. A prompt is tried once, for a second time might bring by chance what it lacks. Raises StoppedError."""
        try:
            talk = open_conversation(prompt, cases.failing, cases.passing, canary=self.canary)
        except TooLittleRoomError as error:
            raise StoppedError("TooLargeTasks", str(error), budget) from error
        before: Score | None = None
        tried: dict[str, Comparison] = {}
        last = ""
        while not (refusal := budget.refusal(talk.size)):
            answer = await self.model.ask(talk.messages)
            if answer.problem != "KeyRefused":
                budget = budget.after(answer.usage, talk.size)
            if answer.problem in _FINAL:
                raise StoppedError(answer.problem, answer.words, budget)
            last = self._objection(answer, prompt, talk)
            if not last:
                assert answer.proposal is not None
                revised = answer.proposal.revised_system_prompt
                before = before or await self._score(prompt, cases, budget)
                if revised not in tried:
                    after = await self._score(revised, cases, budget)
                    tried[revised] = Comparison(
                        before=before, after=after, failing=len(cases.failing), passing=len(cases.passing)
                    )
                last = tried[revised].objection
                if not last:
                    return Draft(proposal=answer.proposal, comparison=tried[revised], budget=budget)
            talk = talk.answered(answer.text, last)
        raise StoppedError(
            "NoProposal" if last else "BudgetTooSmall", f"{last}; {refusal}" if last else refusal, budget
        )

    def _objection(self, answer: Answer, prompt: str, talk: Conversation) -> str:
        if answer.proposal is None:
            return answer.words
        return objection(answer.proposal, prompt=prompt, cases=talk.shown, canary=self.canary)

    async def _score(self, prompt: str, cases: Cases, budget: Budget) -> Score:
        try:
            return await score(self.trial, prompt, cases)
        except TrialError as error:
            raise StoppedError("TrialFailed", str(error), budget) from error
