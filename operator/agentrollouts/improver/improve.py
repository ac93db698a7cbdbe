"""One run from the first look to the proposal. It decides by the pure modules beside it and talks through the ports."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agentrollouts.api.agentversion import Lineage
from agentrollouts.api.scalars import format_usd
from agentrollouts.improver.budget import Budget, Price
from agentrollouts.improver.cases import LEAST, Cases, choose
from agentrollouts.improver.outcome import Action, Outcome
from agentrollouts.improver.ports import Cluster, Model, Tasks, TasksError
from agentrollouts.improver.prompt import PromptError, prompt_of
from agentrollouts.improver.revision import new_version, next_version
from agentrollouts.improver.standing import Agent, Finish, Revise, Version, Wait, may_start, standing
from agentrollouts.improver.trial import Trial
from agentrollouts.improver.writing import Draft, StoppedError, Writer
from agentrollouts.ports import ConflictError


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a run is given. ``lacking`` says what is missing for asking a model, empty when nothing is; ``canary`` is random."""

    canary: str
    price: Price
    lacking: str = ""
    dry_run: bool = False


@dataclass(slots=True, kw_only=True)
class Run:
    """One run for one Rollout."""

    cluster: Cluster
    tasks: Tasks
    model: Model
    trial: Trial
    terms: Terms
    now: datetime
    _budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self._budget = Budget(price=self.terms.price)

    async def improve(self, rollout: str) -> Outcome:
        """The outcome, told on the Rollout as well. Raises what :class:`Cluster` raises before anything was written."""
        agent = await self.cluster.agent(rollout)
        outcome = await self._act(agent)
        if not self.terms.dry_run:
            await self.cluster.tell(agent, outcome)
        return outcome

    async def _act(self, agent: Agent) -> Outcome:
        match standing(agent, self.now):
            case Wait(reason, message):
                return self._outcome(agent, "hold", reason, message)
            case Finish(version):
                return await self._finish(agent, version)
            case Revise(parent):
                return await self._revise(agent, parent)

    async def _finish(self, agent: Agent, version: Version) -> Outcome:
        """What a run before this one made and didn't get to ask for."""
        return await self._start(agent, version.spec.version, version.spec.lineage)

    async def _revise(self, agent: Agent, parent: Version) -> Outcome:
        if self.terms.lacking:
            return self._outcome(agent, "refused", "NotConfigured", self.terms.lacking)
        try:
            prompt = prompt_of(parent.raw, agent.proposals.prompt_variable)
            cases = await self._cases(agent, parent.spec.version)
        except PromptError as error:
            return self._outcome(agent, "refused", "NoPrompt", str(error))
        except TasksError as error:
            return self._outcome(agent, "refused", "NoTasks", str(error))
        if wait := _too_few(cases, parent.spec.version):
            return self._outcome(agent, "hold", wait.reason, wait.message)
        writer = Writer(model=self.model, trial=self.trial, canary=self.terms.canary)
        try:
            draft = await writer.write(prompt, cases, self._budget)
        except StoppedError as stopped:
            self._budget = stopped.budget
            return self._outcome(agent, "refused", stopped.reason, str(stopped))
        self._budget = draft.budget
        return await self._propose(agent, parent, draft)

    async def _cases(self, agent: Agent, version: str) -> Cases:
        name = agent.spec.agent
        return choose(
            await self.tasks.failures(agent.namespace, name),
            await self.tasks.successes(agent.namespace, name, version),
            version=version,
        )

    async def _propose(self, agent: Agent, parent: Version, draft: Draft) -> Outcome:
        if self.terms.dry_run:
            told = {"revised_system_prompt": draft.proposal.revised_system_prompt}
            return self._outcome(agent, "hold", "DryRun", "nothing was written", draft=draft, **told)
        # NB: writing takes minutes, and meanwhile a rollout may have begun, or another run may have proposed.
        agent = await self.cluster.agent(agent.name)
        again = standing(agent, self.now)
        if not isinstance(again, Revise) or again.parent.spec.version != parent.spec.version:
            message = again.message if isinstance(again, Wait) else "another version serves now"
            return self._outcome(agent, "hold", "Overtaken", message, draft=draft)
        used = (
            *(item.spec.version for item in agent.versions),
            *(item.version for item in agent.status.history),
        )
        version = next_version(parent.spec.version, used)
        lineage = Lineage(
            parent=parent.spec.version,
            proposed_by=await self.cluster.user(),
            author="Agent",
            rationale=draft.proposal.rationale,
            cost_usd=format_usd(draft.budget.spent),
            evidence=draft.comparison.evidence,
        )
        manifest = new_version(
            parent.raw,
            version=version,
            variable=agent.proposals.prompt_variable,
            prompt=draft.proposal.revised_system_prompt,
            lineage=lineage,
        )
        try:
            await self.cluster.create_version(manifest)
        except ConflictError:
            message = f"another run made {version} at the same moment"
            return self._outcome(agent, "hold", "Overtaken", message, draft=draft)
        return await self._start(agent, version, lineage)

    async def _start(self, agent: Agent, version: str, lineage: Lineage) -> Outcome:
        """Ask for a version that is there, where the Rollout allows it; the operator takes it from the first step on."""
        told: dict[str, Any] = {
            "version": version,
            "parent": lineage.parent,
            "rationale": lineage.rationale,
            "evidence": lineage.evidence,
        }
        wait = may_start(agent, self.now)
        if wait is None and self.terms.dry_run:
            wait = Wait("DryRun", "a run that isn't dry would start it")
        if wait is None:
            try:
                await self.cluster.start(agent, version)
            except ConflictError:
                wait = Wait(
                    "Proposed", "the Rollout was changed at the same moment; the next run looks again"
                )
        if wait is not None:
            return self._outcome(
                agent, "proposed", "Proposed", f"{version} is proposed: {wait.message}", **told
            )
        return self._outcome(
            agent, "proposed", "Started", f"{version} begins at the first step", started=True, **told
        )

    def _outcome(
        self,
        agent: Agent,
        action: Action,
        reason: str,
        message: str,
        *,
        draft: Draft | None = None,
        **told: Any,
    ) -> Outcome:
        written = (
            {"rationale": draft.proposal.rationale, "evidence": draft.comparison.evidence} if draft else {}
        )
        facts: dict[str, object] = {
            "action": action,
            "reason": reason,
            "message": message,
            "namespace": agent.namespace,
            "rollout": agent.name,
            "parent": agent.status.stable.version if agent.status.stable else None,
            "turns": self._budget.turns,
            "cost_usd": float(format_usd(self._budget.spent)),
        }
        return Outcome.model_validate(facts | written | told)


def _too_few(cases: Cases, version: str) -> Wait | None:
    if len(cases.failing) < LEAST:
        return Wait(
            "TooFewFailures",
            f"not enough failures to learn from: {version} has {len(cases.failing)} different ones with a known right answer, of "
            f"{cases.seen} in the ledger; {LEAST} are needed",
        )
    if len(cases.passing) < LEAST:
        return Wait(
            "TooFewSuccesses",
            f"not enough tasks to see what breaks: {version} has {len(cases.passing)} different ones that it got right and whose "
            f"right answer is known; {LEAST} are needed",
        )
    return None
