"""What may be decided about a rollout, as a closed union: ``match`` over it is checked for exhaustiveness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Install:
    """Nothing serves yet: the wanted version becomes stable as soon as it is ready."""

    version: str
    digest: str
    reason: str = "FirstVersion"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """A new candidate, with no traffic yet. A candidate that was on its way is superseded."""

    version: str
    digest: str
    attempt: int
    reason: str = "NewVersion"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Advance:
    """The candidate's share grows to ``share`` basis points."""

    step: int
    share: int
    tasks: float
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Promote:
    """The candidate becomes stable."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing moves. ``stalled`` means that only a person can help."""

    reason: str
    message: str = ""
    until: datetime | None = None
    stalled: bool = False
    no_evidence: bool = False


@dataclass(frozen=True, slots=True)
class AwaitApproval:
    """Nothing moves until a person opens the gate for ``share`` basis points."""

    share: int
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing moves until a person resumes."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Rollback:
    """The candidate gets no new request from now on. ``aborted``: a person asked for it."""

    reason: str
    message: str = ""
    aborted: bool = False


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The candidate is no longer wanted: all traffic to stable, nothing held against it."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """Back to the previous version, still warm: the same pointer flip as a rollback."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class SetManually:
    """Shares set by hand."""

    shares: tuple[tuple[str, int], ...]
    reason: str = "ManualShares"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Complete:
    """What should serve serves."""

    reason: str
    message: str = ""
    degraded: bool = False


Decision = (
    Install
    | Start
    | Advance
    | Promote
    | Hold
    | AwaitApproval
    | Pause
    | Rollback
    | Withdraw
    | Undo
    | SetManually
    | Complete
)


def is_urgent(decision: Decision) -> bool:
    """Whether the route is written before anything else whatsoever."""
    return isinstance(decision, (Rollback, Undo))


def needs_no_metric(decision: Decision) -> bool:
    """Whether the decision stands before any evidence is read: a crash or an abort must not wait for a slow Prometheus."""
    return isinstance(decision, (Rollback, Undo, Withdraw)) and decision.reason != "NoEvidence"
