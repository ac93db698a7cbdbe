"""The evidence of a rollback: made with the decision, and pending in the status until the ledger has it. Pure.

Like a notice it is written with the decision it is about, so an operator that dies leaves it to the next one. A rollback that
only reached the route is caught up with from what was reported before it.
"""

from __future__ import annotations

from typing import TypeVar

from agentrollouts.api.agentroute import Intent
from agentrollouts.api.bundle import CHANGES, SENTENCE, WAITING, ChangeStatus, TrialRecord
from agentrollouts.api.bundle import BundleStatus as Bundle
from agentrollouts.api.findings import BreakerStatus, CheckStatus
from agentrollouts.api.rollout_status import CandidateStatus, RolloutStatus
from agentrollouts.core.changes import differences
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.findings import checks_status
from agentrollouts.core.pairs import difference
from agentrollouts.core.plan import Emit
from agentrollouts.core.snapshot import Snapshot, VersionView
from agentrollouts.core.trials import recorded

LINE = 256
Finding = TypeVar("Finding", CheckStatus, BreakerStatus)


def with_bundle(
    snapshot: Snapshot, intent: Intent | None, results: tuple[CheckResult, ...], status: RolloutStatus
) -> RolloutStatus:
    """``status``, the next one, with the evidence of a rollback that ``intent`` is, and without what the ledger has.

    ``snapshot`` is from before the rollback; without a ledger nothing is added.
    """
    waiting = [bundle for bundle in status.bundles if bundle.attempt not in snapshot.kept]
    known = {bundle.attempt for bundle in status.bundles}
    rolled_back = intent is not None and intent.action == "Rollback"
    if intent is not None and rolled_back and snapshot.surroundings.ledger and intent.attempt not in known:
        waiting.append(_bundle(snapshot, intent, results, status))
    after = tuple(waiting[-WAITING:])
    return status if after == status.bundles else status.model_copy(update={"bundles": after})


def pushed_out(snapshot: Snapshot, status: RolloutStatus) -> tuple[Emit, ...]:
    """An event for each bundle that had to make room in ``status``, the next one, and that the ledger never got."""
    left = {bundle.attempt for bundle in status.bundles}
    return tuple(
        Emit(
            "EvidenceLost",
            f"the evidence of attempt {bundle.attempt} ({bundle.version}) was never taken by the ledger and made room for"
            f" newer: at most {WAITING} wait",
            "Warning",
        )
        for bundle in snapshot.status.bundles
        if bundle.attempt not in left and bundle.attempt not in snapshot.kept
    )


def _bundle(
    snapshot: Snapshot, intent: Intent, results: tuple[CheckResult, ...], status: RolloutStatus
) -> Bundle:
    stable, candidate = snapshot.status.stable, _candidate(snapshot.status, intent)
    checks = checks_status((), results) if results else snapshot.status.checks if candidate else ()
    return Bundle(
        attempt=intent.attempt,
        version=intent.version,
        digest=intent.digest,
        stable=stable.version if stable else "",
        stable_digest=stable.digest if stable else "",
        reason=intent.reason,
        message=intent.message,
        started_at=candidate.started_at if candidate else intent.at,
        first_share_at=candidate.first_share_at if candidate else None,
        at=intent.at,
        step=candidate.step if candidate else -1,
        share=candidate.share if candidate else 0,
        checks=tuple(_short(check) for check in checks),
        breakers=tuple(_short(breaker) for breaker in status.breakers) if candidate else (),
        trial=_trial(snapshot) if candidate else None,
        changes=_changes(snapshot, intent),
        diff=_diff(snapshot, intent),
    )


def _candidate(status: RolloutStatus, intent: Intent) -> CandidateStatus | None:
    """The candidate as it was last reported; None where even its start never was."""
    found = status.candidate
    known = found is not None and (found.version, found.attempt) == (intent.version, intent.attempt)
    return found if known else None


def _short(found: Finding) -> Finding:
    return found.model_copy(update={"reason": found.reason[:SENTENCE]})


def _trial(snapshot: Snapshot) -> TrialRecord | None:
    trial = recorded(snapshot, writes=True)
    return (
        TrialRecord(terms=trial.terms, state=trial.state, blocks=trial.blocks, at=trial.at) if trial else None
    )


def _changes(snapshot: Snapshot, intent: Intent) -> tuple[ChangeStatus, ...] | None:
    old, new = _both(snapshot, intent)
    if new is None or old is None or new.release is None or old.release is None:
        return None
    return tuple(
        ChangeStatus(
            field=f"{found.part}.{found.subject}"[:LINE], before=found.old[:LINE], after=found.new[:LINE]
        )
        for found in differences(old.release, new.release)[:CHANGES]
    )


def _diff(snapshot: Snapshot, intent: Intent) -> str:
    return difference(snapshot, *_both(snapshot, intent)).long


def _both(snapshot: Snapshot, intent: Intent) -> tuple[VersionView | None, VersionView | None]:
    """The version that serves and the one that was taken out, as far as they still are those."""
    stable = snapshot.status.stable
    return (
        snapshot.named(stable.version, stable.digest) if stable else None,
        snapshot.named(intent.version, intent.digest),
    )
