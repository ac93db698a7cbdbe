"""The quality gate of threshold mode: the checks' verdicts to one score, and failed looks to a rollback.

The score is the weight of the checks that pass over the weight of those that say anything. One failed look isn't a
rollback: so many in a row are, and so many of the last few, because a candidate that fails every other look is bad, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.checks import CheckSpec
from agentrollouts.api.findings import LookStatus
from agentrollouts.api.presets import Effective
from agentrollouts.core.checks import CheckResult, Verdict, active_checks
from agentrollouts.core.decision import Rollback
from agentrollouts.core.snapshot import Snapshot

PASS_FROM = 0.8
"""From this score on the gate passes."""
WARN_FROM = 0.5
"""From this score on it warns; below it fails."""
CONCLUSIVE = 0.5
"""The part of the weight that has to say something before the gate does."""


@dataclass(frozen=True, slots=True)
class GateScore:
    """The gate's verdict on one look."""

    verdict: Verdict
    score: float | None
    """Weight of what passes over the weight of what is conclusive, from 0 to 1; None where nothing is."""
    failing: tuple[str, ...] = ()
    """Names of the failing checks."""
    inconclusive: tuple[str, ...] = ()
    """Names of the checks that can't say anything."""
    message: str = ""
    """The score with what stands against a pass, for people."""


def score(results: Iterable[CheckResult], checks: Sequence[CheckSpec]) -> GateScore:
    """The gate's verdict. A check without a result is inconclusive; without a check that decides, so is the gate.

    A failing critical check fails the gate, whatever else is unknown. Where no check fails, the gate doesn't either: what
    is worse than allowed but not beyond noise warns.
    """
    found = {result.name: result for result in results}
    deciding = [check for check in checks if not check.dry_run]
    said = [(check, found.get(check.name, _unknown(check))) for check in deciding]
    conclusive = [(check, result) for check, result in said if result.verdict is not Verdict.INCONCLUSIVE]
    failing = [(check, result) for check, result in conclusive if result.verdict is Verdict.FAIL]
    weight = sum(check.effective_weight for check, _ in conclusive)
    passed = sum(check.effective_weight for check, result in conclusive if result.verdict is Verdict.PASS)
    value = passed / weight if weight else None
    unknown = [check for check, result in said if result.verdict is Verdict.INCONCLUSIVE]
    if any(check.is_critical for check, _ in failing):
        verdict = Verdict.FAIL
    elif value is None or any(check.is_critical for check in unknown) or _too_little(weight, deciding):
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = _verdict(value, fails=bool(failing))
    return GateScore(
        verdict,
        value,
        failing=tuple(check.name for check, _ in failing),
        inconclusive=tuple(check.name for check in unknown),
        message=_message(value, [result for _, result in said]),
    )


def _unknown(check: CheckSpec) -> CheckResult:
    return CheckResult(check.name, Verdict.INCONCLUSIVE, "not measured")


def _too_little(weight: int, deciding: Sequence[CheckSpec]) -> bool:
    return weight < CONCLUSIVE * sum(check.effective_weight for check in deciding)


def _verdict(value: float, *, fails: bool) -> Verdict:
    if value >= PASS_FROM:
        return Verdict.PASS
    return Verdict.FAIL if value < WARN_FROM and fails else Verdict.WARN


def _message(value: float | None, results: Sequence[CheckResult]) -> str:
    if not results:
        return "there is no check that decides: none is given, or each is a dry run"
    against = [
        f"{result.name} {result.verdict}: {result.reason}"
        for result in results
        if result.verdict is not Verdict.PASS
    ]
    head = "no score" if value is None else f"score {value:.2f}, {PASS_FROM:g} needed"
    return "; ".join((head, *against))[:4000]


def gate_score(snapshot: Snapshot, results: Iterable[CheckResult]) -> GateScore:
    """The gate's verdict on a snapshot."""
    return score(results, active_checks(snapshot.spec))


def in_force(snapshot: Snapshot) -> bool:
    """Whether the gate judges: in threshold mode, and not where a share tunes itself with no check beside its failure rate."""
    return snapshot.spec.analysis.effective.mode == "threshold" and not (
        snapshot.spec.strategy.self_tuning and not active_checks(snapshot.spec)
    )


def looks_after(
    looks: tuple[LookStatus, ...], verdict: Verdict, now: datetime, rule: Effective
) -> tuple[LookStatus, ...]:
    """The ring of verdicts with this look in it, if it counts: at most one every ``rule.every``, and none that is inconclusive.

    What came before the first failure in the ring can't make a difference, so it isn't kept: of a candidate that never
    fails nothing is ever written.
    """
    due = not looks or now - looks[-1].at >= rule.every
    if verdict is Verdict.INCONCLUSIVE or not due:
        return looks
    said = LookStatus(verdict=verdict.value, at=now)
    ring = (*looks, said)[-max(rule.consecutive, rule.out_of) :]
    first = next((index for index, look in enumerate(ring) if look.verdict == Verdict.FAIL), len(ring))
    return ring[first:]


def looks_of(snapshot: Snapshot, results: Iterable[CheckResult]) -> tuple[LookStatus, ...]:
    """The present candidate's ring with this look in it; as it was where the gate isn't in force."""
    candidate = snapshot.status.candidate
    assert candidate is not None
    if not in_force(snapshot):
        return candidate.looks
    verdict = gate_score(snapshot, results).verdict
    return looks_after(candidate.looks, verdict, snapshot.now, snapshot.spec.analysis.effective)


def enough_failures(looks: Sequence[LookStatus], rule: Effective) -> str:
    """Which failed looks are enough for a rollback, in words; empty while they aren't."""
    row, last = looks[-rule.consecutive :], looks[-rule.out_of :]
    if len(row) == rule.consecutive and all(look.verdict == Verdict.FAIL for look in row):
        return f"{len(row)} of the last {len(row)} looks failed"
    failed = sum(look.verdict == Verdict.FAIL for look in last)
    return f"{failed} of the last {len(last)} looks failed" if failed >= rule.at_least else ""


def rollback(snapshot: Snapshot, results: Sequence[CheckResult]) -> Rollback | None:
    """The failed looks that take the candidate out, if they are enough."""
    enough = enough_failures(looks_of(snapshot, results), snapshot.spec.analysis.effective)
    if not in_force(snapshot) or not enough:
        return None
    failing = "; ".join(f"{result.name} {result.reason}" for result in results if result.fails)
    return Rollback("CheckFailed", f"{enough}{f': {failing}' if failing else ''}"[:4000])
