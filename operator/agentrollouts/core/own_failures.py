"""Failures of queries of the user's own in sequential mode: they add up to a rollback, apart from the error budget.

Such a value has no number of sessions behind it, so no test can say how often chance alone is beyond a limit. What can be
asked for is that it stays there: each check has a ring of looks as the quality gate has one, judged by ``analysis.failures``.
In threshold mode these checks are part of the gate, and there is nothing to do here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentrollouts.api.findings import CheckLooksStatus, LookStatus
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decision import Rollback
from agentrollouts.core.evidence import Asked, Unavailable
from agentrollouts.core.quality_gate import enough_failures, looks_after
from agentrollouts.core.snapshot import Snapshot
from agentrollouts.core.trials import is_sequential, split_wrongly

REASON = "QueryFailed"
"""Of a rollback by such a check; CheckFailed is the error budget's."""


def looks_of(snapshot: Snapshot, results: Sequence[CheckResult]) -> tuple[CheckLooksStatus, ...]:
    """The rings of the present candidate with this look in them, in the order of the checks; empty ones are left out.

    Where callers aren't split as configured no verdict counts, so no look does.
    """
    candidate = snapshot.status.candidate
    assert candidate is not None
    if not is_sequential(snapshot.spec) or not results or split_wrongly(snapshot):
        return candidate.check_looks
    before = {each.name: each for each in candidate.check_looks}
    rings = [_ring(snapshot, before, result) for result in results]
    return tuple([ring for ring in rings if ring is not None and ring.looks])


def rollback(snapshot: Snapshot, results: Sequence[CheckResult]) -> Rollback | None:
    """The checks of which enough looks failed."""
    failing = {result.name: result for result in results if result.fails and result.adds_up}
    if not failing or not is_sequential(snapshot.spec) or split_wrongly(snapshot):
        return None
    rule = snapshot.spec.analysis.effective
    said = [
        f"{ring.name}: {enough}: {failing[ring.name].reason}"
        for ring in looks_of(snapshot, results)
        if ring.name in failing and (enough := enough_failures(ring.looks, rule))
    ]
    return Rollback(REASON, "; ".join(said)[:4000]) if said else None


def _ring(
    snapshot: Snapshot, before: Mapping[str, CheckLooksStatus], result: CheckResult
) -> CheckLooksStatus | None:
    """The ring of one check after this look; as it was where the look is none: a dry run, or the same answer again."""
    known = before.get(result.name)
    looks: tuple[LookStatus, ...] = known.looks if known else ()
    if not result.adds_up or result.dry_run:
        return known
    at = _asked_at(snapshot, result.name)
    if at is None or (looks and at.at <= looks[-1].at):
        return known
    after = looks_after(looks, result.verdict, snapshot.now, snapshot.spec.analysis.effective)
    return known if after == looks else CheckLooksStatus(name=result.name, looks=after)


def _asked_at(snapshot: Snapshot, name: str) -> Asked | None:
    evidence = snapshot.evidence
    asked = None if isinstance(evidence, Unavailable) else evidence.asked.get(name)
    return asked if isinstance(asked, Asked) else None
