"""A rollout's trial from its spec and its evidence: pure, and the same whoever looks, whenever, after whatever restart."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import exp
from types import MappingProxyType

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import TrialStatus
from agentrollouts.core.checks import active_checks
from agentrollouts.core.counters import ASSIGNED
from agentrollouts.core.criteria import Rule, rules
from agentrollouts.core.evidence import Arm, Evidence, Totals, Unavailable
from agentrollouts.core.sequential.measure import NONE, Block
from agentrollouts.core.sequential.record import read, written
from agentrollouts.core.sequential.standing import SPLIT
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Reading, Trial, begun, looked
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.sources import Index

LONGEST = 65_536
"""Characters of a trial that fit into the status; 64 tools and 11 edges need a third."""
CANDIDATE, CONTROL, STABLE = "candidate", "control", "stable"
NOTHING = Block(0.0, NONE)
NO_CELLS: Totals = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Terms:
    """What a rollout is tried by: the criteria, what each reads, and the check it belongs to, in one order."""

    criteria: tuple[Criterion, ...]
    rules: tuple[Rule, ...]
    candidate: str
    stable: str
    guarded: bool = False
    """Whether the split of the callers is watched: each session has a key of its own, so sessions count keys."""

    @property
    def fingerprint(self) -> str:
        """Names these terms: evidence gathered under others can't be gone on with."""
        text = repr((self.criteria, self.rules, self.candidate, self.stable))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def is_sequential(spec: RolloutSpec) -> bool:
    """Whether candidates are tried by exact sequential tests."""
    return spec.analysis.effective.mode == "sequential"


def rules_of(spec: RolloutSpec) -> tuple[tuple[str, Rule], ...]:
    """(name of the check, what it tests), in the order of the checks."""
    applies = spec.analysis.effective
    return tuple((check.name, rule) for check in active_checks(spec) for rule in rules(check, applies))


def terms_of(spec: RolloutSpec, candidate: str, stable: str) -> Terms | None:
    """The terms of a rollout; None where nothing is tested sequentially.

    The error budget is divided by the checks' weights, and a check's part among what it tests. A dry run has none of it,
    and neither has a check that tests nothing.
    """
    if not is_sequential(spec):
        return None
    named = rules_of(spec)
    if not named:
        return None
    tests = {name for name, _ in named}
    checks = {check.name: check for check in active_checks(spec) if check.name in tests}
    whole = sum(check.effective_weight for check in checks.values() if not check.dry_run)
    parts = [sum(other == name for other, _ in named) for name, _ in named]
    criteria = tuple(
        Criterion(
            name,
            rule.measure,
            0.0 if checks[name].dry_run else checks[name].effective_weight / whole / part,
            rule.holds,
        )
        for (name, rule), part in zip(named, parts, strict=True)
    )
    guarded = spec.assignment.unit == "Session"
    return Terms(criteria, tuple(rule for _, rule in named), candidate, stable, guarded)


def advanced(terms: Terms, trial: Trial | None, evidence: Evidence, shares: Sequence[float] = ()) -> Trial:
    """The trial after a look at the evidence; a new one begins with everything the old version did so far as history."""
    now = _cohorts(terms, evidence.total)
    if trial is None:
        past = _cohorts(terms, evidence.before, evidence.total)
        return begun(terms.criteria, past, now)
    return looked(terms.criteria, trial, now, shares)


CHECKPOINT = timedelta(minutes=15)
"""How often a trial is written to the status while nothing else is."""


def resumed(terms: Terms, record: TrialStatus | None) -> Trial | None:
    """The trial that the status holds; None if it holds none of these terms."""
    if record is None or record.terms != terms.fingerprint:
        return None
    return read(record.state, terms.criteria)


def recorded(snapshot: Snapshot, *, writes: bool) -> TrialStatus | None:
    """The candidate's trial for the status: anew where the status is written anyway (``writes``), else now and then."""
    candidate, stable, evidence = snapshot.status.candidate, snapshot.status.stable, snapshot.evidence
    assert candidate is not None
    before, trial = candidate.trial, None if isinstance(evidence, Unavailable) else evidence.trial
    since = before.at if before else candidate.first_share_at
    due = writes or (since is not None and snapshot.now - since >= CHECKPOINT)
    if trial is None or stable is None or not due:
        return before
    blocks = sum([course.blocks for course in trial.courses])
    terms = terms_of(snapshot.spec, candidate.version, stable.version)
    if terms is None or (before and (before.blocks, before.terms) == (blocks, terms.fingerprint)):
        return before
    state = written(trial)
    if len(state) > LONGEST:
        return before
    return TrialStatus(terms=terms.fingerprint, state=state, blocks=blocks, at=snapshot.now)


def split_wrongly(snapshot: Snapshot) -> str:
    """How callers are split instead of as configured, beyond doubt; empty where nothing speaks for that."""
    evidence = snapshot.evidence
    trial = None if isinstance(evidence, Unavailable) else evidence.trial
    if trial is None or exp(trial.split.won) < 1.0 / SPLIT:
        return ""
    whole = sum(trial.split.assigned) or 1.0
    parts = ", ".join(
        f"{cohort} {seen / whole:.1%} of {whole:.0f} sessions, configured {share:.1%}"
        for cohort, seen, share in zip(
            (CANDIDATE, CONTROL, STABLE), trial.split.assigned, trial.split.shares, strict=True
        )
    )
    return f"callers aren't split as configured, so no comparison counts: {parts}"


def lacking(terms: Terms, evidence: Evidence) -> tuple[str, ...]:
    """By criterion: who doesn't report which counter; empty where there is all that it needs."""
    totals = evidence.total
    ours = _index(terms.candidate, CANDIDATE, totals)
    theirs = [_index(terms.stable, cohort, totals) for cohort in (STABLE, CONTROL)]
    return tuple([_unreported(rule, ours, theirs) for rule in terms.rules])


def _unreported(rule: Rule, ours: Index, theirs: Sequence[Index]) -> str:
    if lacks := rule.lacks(ours):
        return f"the candidate doesn't report {lacks}"
    old = [rule.lacks(index) for index in theirs] if rule.compares else []
    return f"the old version doesn't report {old[0]}" if old and all(old) else ""


def _cohorts(terms: Terms, *totals: Mapping[Arm, Totals]) -> Cohorts:
    return Cohorts(
        _reading(terms, _index(terms.candidate, CANDIDATE, *totals)),
        _reading(terms, _index(terms.stable, CONTROL, *totals)),
        _reading(terms, _index(terms.stable, STABLE, *totals)),
    )


def _reading(terms: Terms, index: Index) -> Reading:
    assigned = sum(index.get(ASSIGNED.metric, {}).values()) if terms.guarded else 0.0
    return Reading(tuple([rule.source.read(index) or NOTHING for rule in terms.rules]), assigned)


def _index(version: str, cohort: str, *totals: Mapping[Arm, Totals]) -> Index:
    """A cohort's sums. Counters without a cohort count for the candidate and for stable; calls past the router for nobody."""
    arms = [Arm(version, cohort)] if cohort == CONTROL else [Arm(version, cohort), Arm(version, "")]
    found: dict[str, dict[str, float]] = {}
    for sums in totals:
        for arm in arms:
            for (metric, value), amount in sums.get(arm, NO_CELLS).items():
                cells = found.setdefault(metric, {})
                cells[value] = cells.get(value, 0.0) + amount
    return found
