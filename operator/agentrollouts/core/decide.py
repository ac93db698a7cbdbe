"""The state machine: a snapshot, the checks' verdicts and the gate's state to one decision.

Rules are tried in order and the first that speaks decides. A rollback comes before everything that could hold, pause or
wait; what stops an advance comes before anything that advances.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agentrollouts.api.rollout_status import StableStatus
from agentrollouts.core import proofs, rails, tuning
from agentrollouts.core.again import barred, cooling
from agentrollouts.core.checks import CheckResult
from agentrollouts.core.decision import (
    Complete,
    Decision,
    Hold,
    Install,
    Pause,
    Rollback,
    SetManually,
    Start,
    Undo,
    Withdraw,
)
from agentrollouts.core.gates import GateState
from agentrollouts.core.progress import progress
from agentrollouts.core.snapshot import Snapshot, VersionView, asked
from agentrollouts.core.verification import UNVERIFIED, missing


@dataclass(frozen=True, slots=True)
class Case:
    """What every rule looks at."""

    snapshot: Snapshot
    results: tuple[CheckResult, ...]
    gate: GateState


Rule = Callable[[Case], Decision | None]


def decide(snapshot: Snapshot, results: tuple[CheckResult, ...], gate: GateState) -> Decision:
    """The one thing to do now."""
    case = Case(snapshot, results, gate)
    for rule in RULES:
        decision = rule(case)
        if decision is not None:
            return decision
    raise AssertionError("the last rule always decides")


def _first_version(case: Case) -> Decision | None:
    s = case.snapshot
    if s.status.stable is not None or s.spec.strategy.manual is not None:
        return None
    wanted = s.wanted
    if wanted is None:
        return _not_found(s)
    if wanted.problem:
        return Hold("VersionUnusable", wanted.problem, stalled=True)
    if (unsigned := _unverified(s, wanted)) is not None:
        return unsigned
    pods = wanted.workload
    if pods is not None and pods.loaded.mismatch:
        return Hold(
            "DigestMismatch",
            f"{wanted.version} was promised as {wanted.digest}; {pods.loaded.mismatch}",
            stalled=True,
        )
    if not wanted.ready:
        trouble = pods.why(s.now) if pods else ""
        return Hold(
            "WaitingForFirstVersion", f"{wanted.version} is not ready yet{f': {trouble}' if trouble else ''}"
        )
    return Install(
        wanted.version, wanted.digest, message=f"{wanted.version} is the first version and serves all traffic"
    )


def _not_found(s: Snapshot) -> Hold:
    known = ", ".join(sorted(s.versions)) or "none"
    return Hold(
        "VersionNotFound",
        f"spec.version {s.spec.version} has no AgentVersion {s.spec.agent}-{s.spec.version} in {s.identity.namespace};"
        f" known versions: {known}",
        stalled=True,
    )


def _manual(case: Case) -> Decision | None:
    s = case.snapshot
    manual = s.spec.strategy.manual
    if manual is None:
        return None
    shares = tuple((item.version, item.share) for item in manual.shares)
    problem = _manual_problem(s, shares)
    if problem:
        return Hold(problem[0], problem[1], stalled=True)
    if s.route is not None and {a.version: a.share for a in s.route.spec.arms} == {
        v: p for v, p in shares if p
    }:
        return Complete("ManualShares", "shares are as set by hand")
    return SetManually(shares, message=", ".join(f"{version} {share / 100:g}%" for version, share in shares))


def _manual_problem(s: Snapshot, shares: tuple[tuple[str, int], ...]) -> tuple[str, str] | None:
    for version, share in shares:
        view = s.versions.get(version)
        if view is None:
            return (
                "VersionNotFound",
                f"spec.strategy.manual names {version}, which has no AgentVersion {s.spec.agent}-{version}",
            )
        if view.problem:
            return "VersionUnusable", view.problem
        unsigned = _unverified(s, view)
        if unsigned is not None:
            return unsigned.reason, unsigned.message
        if share and not proofs.may_serve(s, version):
            return (
                "ShareNeedsProof",
                (
                    f"{version} hasn't passed spec.beforeTraffic, which a manual strategy can't run;"
                    " use spec.version with steps first, or take beforeTraffic out"
                ),
            )
        serving = s.status.stable is None or s.status.stable.version == version
        if not serving and share > rails.limit(s, view):
            return (
                "ShareNeedsApproval",
                (
                    f"{share / 100:g}% for {version} needs approval, which a manual strategy can't ask for;"
                    f" use spec.version with steps, or at most {rails.limit(s, view) / 100:g}%"
                ),
            )
    return None


def _undo(case: Case) -> Decision | None:
    s = case.snapshot
    if not asked(s.requests.undo, s.status.handled.undo):
        return None
    previous = s.status.previous
    view = s.versions.get(previous.version) if previous else None
    if previous is None or view is None or s.now >= previous.warm_until or not view.ready:
        return None
    return Undo("Undone", f"back to {previous.version}, which is still warm")


def _abort(case: Case) -> Decision | None:
    s = case.snapshot
    if s.status.candidate is None or not asked(s.requests.abort, s.status.handled.abort):
        return None
    return Rollback("Aborted", f"aborted by request ({s.requests.abort})", aborted=True)


def _other_version(case: Case) -> Decision | None:
    """The spec asks for another version than the one on its way: all traffic to stable first, whatever comes next."""
    s, candidate, stable = case.snapshot, case.snapshot.status.candidate, case.snapshot.status.stable
    if candidate is None or stable is None or s.spec.version == candidate.version:
        return None
    if s.spec.version == stable.version:
        return Withdraw("NoLongerWanted", f"spec.version is {stable.version} again, which is stable")
    if s.wanted is None or s.wanted.problem or _unverified(s, s.wanted):
        return None
    retried = asked(s.requests.retry, s.status.handled.retry)
    waits = None if retried else barred(s, s.wanted) or cooling(s, s.wanted.version)
    if waits is not None:
        return Withdraw(
            "NoLongerWanted", f"{s.spec.version} is wanted instead, and waits: {waits.message}"[:4000]
        )
    return Start(
        s.spec.version,
        s.wanted.digest,
        s.status.attempts + 1,
        reason="NewVersion",
        message=f"{s.spec.version} replaces {candidate.version}, which had {candidate.share / 100:g}%",
    )


def _rails(case: Case) -> Decision | None:
    return rails.rollback(case.snapshot, case.results, case.gate)


def _tuning_rollback(case: Case) -> Decision | None:
    return tuning.rollback(case.snapshot) if case.snapshot.status.candidate else None


def _prove_again(case: Case) -> Decision | None:
    return proofs.again(case.snapshot)


def _paused(case: Case) -> Decision | None:
    s, candidate = case.snapshot, case.snapshot.status.candidate
    if candidate is None:
        return None
    if s.spec.paused or s.requests.paused:
        return Pause("Paused", f"paused at {candidate.share / 100:g}%; rollbacks still happen")
    if candidate.paused_reason and not s.is_resumed:
        return Pause(
            candidate.paused_reason,
            f"paused at {candidate.share / 100:g}% until a person resumes:"
            f' kubectl annotate rollout {s.identity.name} --overwrite agentrollouts.io/resume="$(date +%s)"',
        )
    return None


def _missing_version(case: Case) -> Decision | None:
    s = case.snapshot
    if s.wanted is None:
        return _not_found(s)
    if s.wanted.problem:
        return Hold("VersionUnusable", s.wanted.problem, stalled=True)
    return _unverified(s, s.wanted)


def _unverified(s: Snapshot, view: VersionView) -> Hold | None:
    """A version nobody vouches for isn't started, and doesn't grow. The one that serves goes on: a demand stops nothing."""
    if s.status.stable is not None and s.status.stable.version == view.version:
        return None
    lacking = missing(s.spec.release.verify, view.vouched, view.version)
    return Hold(UNVERIFIED, lacking, stalled=True) if lacking else None


def _progress(case: Case) -> Decision | None:
    return progress(case.snapshot, case.results, case.gate) if case.snapshot.status.candidate else None


def _idle(case: Case) -> Decision | None:
    s = case.snapshot
    stable, wanted = s.status.stable, s.wanted
    assert stable is not None and wanted is not None
    if wanted.version == stable.version:
        return _serving(stable, wanted.digest)
    retried = asked(s.requests.retry, s.status.handled.retry)
    waits = barred(s, wanted) or cooling(s, wanted.version)
    if waits is not None and not retried:
        return waits
    return Start(
        wanted.version,
        wanted.digest,
        s.status.attempts + 1,
        reason="Retried" if waits is not None else "NewVersion",
        message=f"{wanted.version} is on its way beside {stable.version}",
    )


def _serving(stable: StableStatus, digest: str) -> Decision:
    if stable.digest != digest:
        return Hold(
            "DigestConflict",
            f"{stable.version} was made again with another content: {digest}, and {stable.digest} is what serves."
            " Give the new content a new version",
            stalled=True,
        )
    return Complete("Serving", f"{stable.version} serves all traffic")


RULES: tuple[Rule, ...] = (
    _first_version,
    _manual,
    _undo,
    _abort,
    _other_version,
    _rails,
    _tuning_rollback,
    _prove_again,
    _paused,
    _missing_version,
    _progress,
    _idle,
)
