"""From a trial to the checks' verdicts, each with a sentence that has the numbers.

PASS: the evidence lets the candidate take its next step. INCONCLUSIVE: not enough yet, more sessions decide. WARN: it leans
against the candidate. FAIL: beyond the error budget, so the candidate goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from agentrollouts.api.presets import Effective
from agentrollouts.api.scalars import FULL, format_usd
from agentrollouts.core import tuning
from agentrollouts.core.checks import active_checks
from agentrollouts.core.checks.result import CheckResult, Verdict
from agentrollouts.core.counters import COST, TASKS
from agentrollouts.core.evidence import Evidence, sum_of
from agentrollouts.core.sentences import amount, told
from agentrollouts.core.sequential.standing import Budget, Standing, standing
from agentrollouts.core.sequential.trial import Trial, watched
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.trials import Terms, lacking, terms_of

_ORDER = (Verdict.FAIL, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.PASS)
"""Of what a check tests, the first of these that any of it has is the check's."""


def budget_of(applies: Effective) -> Budget:
    """The error budget of an analysis."""
    return Budget(applies.false_rollback / FULL, applies.false_promotion / FULL)


def needed(snapshot: Snapshot) -> float:
    """The evidence that lets the candidate take its next step: a part of what the last one needs, growing with each."""
    budget, strategy = budget_of(snapshot.spec.analysis.effective), snapshot.spec.strategy
    candidate = snapshot.status.candidate
    share = candidate.share if candidate else 0
    if strategy.self_tuning:
        return budget.in_favour(min(tuning.next_share(snapshot), FULL), FULL)
    steps = strategy.effective_steps()
    taken = sum(step.share <= share for step in steps)
    return budget.in_favour(max(1, taken), len(steps))


def verdicts(snapshot: Snapshot, names: Sequence[str]) -> tuple[CheckResult, ...]:
    """The verdict of each named check, in that order; the names are those of the trial's terms."""
    candidate, stable, evidence = snapshot.status.candidate, snapshot.status.stable, snapshot.evidence
    assert candidate is not None and stable is not None and isinstance(evidence, Evidence)
    terms = terms_of(snapshot.spec, candidate.version, stable.version)
    if terms is None or evidence.trial is None:
        return tuple(
            CheckResult(name, Verdict.INCONCLUSIVE, "the trial hasn't begun", missing=True) for name in names
        )
    return _Court(snapshot, terms, evidence.trial, evidence).results(names)


def too_dear(snapshot: Snapshot, evidence: Evidence) -> dict[str, str]:
    """By name of a check on cost: why the candidate's tasks are dearer than its fixed limit. It holds the candidate.

    Dollars are known of tasks and not of sessions, so this can't be tested; a circuit breaker takes out what is too dear.
    """
    candidate, found = snapshot.status.candidate, dict[str, str]()
    totals = evidence.pooled(candidate.version) if candidate else {}
    n, spent = sum_of(totals, TASKS.metric), sum_of(totals, COST.metric)
    for check in active_checks(snapshot.spec):
        most = check.cost.max if check.cost else None
        if most is not None and n and spent * 1e6 > most * n:
            found[check.name] = f"${spent / n:.6f} a task over {n:.0f} tasks, at most ${format_usd(most)}"
    return found


class _Court:
    """One look at one trial."""

    def __init__(self, snapshot: Snapshot, terms: Terms, trial: Trial, evidence: Evidence) -> None:
        self._terms, self._trial = terms, trial
        self._budget, self._needed = budget_of(snapshot.spec.analysis.effective), needed(snapshot)
        self._stands: Standing = standing(terms.criteria, trial)
        self._unreported = lacking(terms, evidence)
        self._blamed = self._stands.blamed(self._budget) if self._stands.rolls_back(self._budget) else ()
        self._watched = watched(terms.criteria)
        self._too_dear = too_dear(snapshot, evidence)

    def results(self, names: Sequence[str]) -> tuple[CheckResult, ...]:
        return tuple([self._result(name) for name in names])

    def _result(self, name: str) -> CheckResult:
        parts = [at for at, criterion in enumerate(self._terms.criteria) if criterion.name == name]
        found = [self._part(at) for at in parts]
        if name in self._too_dear:
            found.append((Verdict.WARN, self._too_dear[name], False))
        verdict = min((verdict for verdict, _, _ in found), key=_ORDER.index)
        return CheckResult(
            name,
            verdict,
            "; ".join(reason for _, reason, _ in found),
            toward_failure=self._toward(parts),
            missing=any(missing for _, _, missing in found),
        )

    def _part(self, at: int) -> tuple[Verdict, str, bool]:
        """Verdict, sentence, and whether something wasn't measured. What has failed stays so, whoever stops reporting."""
        seen, failed = self._trial.seen[at], at in self._blamed
        if self._unreported[at] and not failed:
            return Verdict.INCONCLUSIVE, self._unreported[at], True
        rule, course = self._terms.rules[at], self._trial.courses[at]
        if not course.blocks and seen.candidate.n < 1.0 and not failed:
            whose = "both versions" if rule.compares else "the candidate"
            return Verdict.INCONCLUSIVE, f"waiting for closed sessions of {whose}", True
        sentence = told(
            rule,
            seen,
            course,
            apart=self._trial.apart,
            confidence=self._trial.confidence if at == self._watched else None,
        )
        return self._verdict(at), f"{sentence}; {self._evidence(at)}", False

    def _verdict(self, at: int) -> Verdict:
        """A dry run has no part in the error budget: of it, what it would say alone."""
        stands, budget = self._stands, self._budget
        worse, good, weight = stands.worse[at], stands.good[at], stands.weights[at]
        alone = not weight and not stands.holding[at]
        if at in self._blamed or (alone and worse >= budget.against):
            return Verdict.FAIL
        if worse * (weight or 1.0) > 1.0 or (good is None and worse > 1.0):
            return Verdict.WARN
        return Verdict.PASS if good is None or good >= self._needed else Verdict.INCONCLUSIVE

    def _evidence(self, at: int) -> str:
        """How much evidence there is, of how much that is needed."""
        stands = self._stands
        enough = self._budget.against / (stands.weights[at] or 1.0)
        against = f"evidence against it {amount(stands.worse[at])} of {amount(enough)}"
        good = stands.good[at]
        if good is None:
            return against
        return f"{against}, for the next step {amount(good)} of {amount(self._needed)}"

    def _toward(self, parts: Sequence[int]) -> float:
        """How far the whole evidence is on the way to a rollback, from 0 to 1; nothing for a check that has no part in it."""
        if not any(self._stands.weights[at] for at in parts):
            return 0.0
        return min(1.0, log(max(1.0, self._stands.against)) / log(self._budget.against))
