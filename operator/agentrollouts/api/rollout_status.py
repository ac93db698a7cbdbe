"""What a Rollout reports: where it stands, how it came there, and what it must remember."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentrollouts.api.advisor import AdviceStatus, AdvisorUsage
from agentrollouts.api.approvalgate import ApprovalRecord
from agentrollouts.api.base import StatusModel
from agentrollouts.api.before_traffic import MOST, ProofStatus
from agentrollouts.api.bundle import WAITING, BundleStatus
from agentrollouts.api.conditions import Conditions
from agentrollouts.api.findings import BreakerStatus, CheckLooksStatus, CheckStatus, LookStatus
from agentrollouts.api.monitor import DriftStatus, ProfileStatus
from agentrollouts.api.notify import NoticesStatus
from agentrollouts.api.scalars import Digest, Name, ReasonText, Semver, ShareBps, Text, Time

Count = Annotated[int, Field(ge=0)]


class StableStatus(StatusModel):
    """The version that serves."""

    version: Semver = Field(description="Its spec.version.")
    digest: Digest = Field(description="Its artifact digest.")
    since: Time = Field(description="When it became stable.")
    profile: ProfileStatus | None = None


class PreviousStatus(StatusModel):
    """The version before the stable one, kept warm for an undo."""

    version: Semver = Field(description="Its spec.version.")
    digest: Digest = Field(description="Its artifact digest.")
    warm_until: Time = Field(description="Its pods stay at full size until then.")


class TrialStatus(StatusModel):
    """The sequential test of the candidate, so that it goes on where it stood after the operator restarts."""

    terms: Annotated[str, Field(max_length=16)] = Field(
        description="Which checks and versions it is about; of others it counts for nothing."
    )
    state: Annotated[str, Field(max_length=65_536)] = Field(
        description="Sums and evidence in full precision, as JSON; for the operator, not for people."
    )
    blocks: Count = Field(default=0, description="How many pieces of evidence it had taken in.")
    at: Time = Field(description="When it was written.")


class CandidateStatus(StatusModel):
    """The version on its way."""

    version: Semver = Field(description="Its spec.version.")
    digest: Digest = Field(description="Its artifact digest.")
    attempt: Annotated[int, Field(ge=1)] = Field(default=1, description="Which try of this artifact it is.")
    started_at: Time = Field(description="When it became the candidate.")
    step: Annotated[int, Field(ge=-1, le=64)] = Field(
        default=-1, description="Index of the present step; -1 before the first."
    )
    step_started_at: Time = Field(description="When the present step began.")
    share: ShareBps = Field(default=0, description="Its present share in basis points.")
    tasks_at_step: Annotated[float, Field(ge=0)] = Field(
        default=0, description="Its finished tasks when the step began."
    )
    first_share_at: Time | None = Field(default=None, description="When it got its first traffic.")
    proofs: Annotated[tuple[ProofStatus, ...], Field(max_length=MOST)] = Field(
        default=(), description="How the entries of spec.beforeTraffic stand that were begun."
    )
    no_evidence_since: Time | None = Field(
        default=None, description="Since when there is no usable evidence about it."
    )
    looks: Annotated[tuple[LookStatus, ...], Field(max_length=20)] = Field(
        default=(),
        description="The quality gate's last verdicts, oldest first, from the first failed one on; threshold mode only.",
    )
    check_looks: Annotated[tuple[CheckLooksStatus, ...], Field(max_length=32)] = Field(
        default=(),
        description="The last verdicts of each promql check that may roll back, from its first failed one on; sequential"
        " mode only.",
    )
    trial: TrialStatus | None = None
    paused_reason: ReasonText = Field(
        default="", description="Why it waits for a person to resume; empty when it doesn't."
    )
    advice: AdviceStatus | None = None


class RejectedStatus(StatusModel):
    """A candidate that was taken out; it isn't tried again until a person says so."""

    version: Semver = Field(description="Its spec.version.")
    digest: Digest = Field(description="Its artifact digest.")
    attempt: Annotated[int, Field(ge=1)] = Field(default=1, description="Which try of this artifact it was.")
    reason: ReasonText = Field(description="Why it was taken out, in one CamelCase word.")
    message: Text = Field(default="", description="Why it was taken out, with the numbers.")
    at: Time = Field(description="When it was taken out.")
    drain_until: Time = Field(description="Requests in flight may finish until then.")


class ShareStatus(StatusModel):
    """One arm's share now and before the last change."""

    cohort: Literal["candidate", "stable", "control"] = Field(description="The cohort of this arm.")
    version: Semver = Field(description="The version that answers there.")
    share: ShareBps = Field(description="Share in basis points.")
    previous_share: ShareBps = Field(default=0, description="Share before the last change, in basis points.")


class DecisionStatus(StatusModel):
    """Why the rollout stands where it stands."""

    action: Annotated[str, Field(max_length=32)] = Field(description="What was decided last.")
    reason: ReasonText = Field(description="Why, in one CamelCase word.")
    message: Text = Field(default="", description="Why, in a sentence.")
    at: Time = Field(description="When it was decided.")


class HistoryEntry(StatusModel):
    """How one candidate fared."""

    version: Semver = Field(description="Its spec.version.")
    digest: Digest = Field(description="Its artifact digest.")
    attempt: Annotated[int, Field(ge=1)] = Field(default=1, description="Which try of this artifact it was.")
    outcome: Literal["Installed", "Promoted", "RolledBack", "Aborted", "Superseded", "Undone"] = Field(
        description="How it ended."
    )
    reason: ReasonText = Field(default="", description="Why, in one CamelCase word.")
    message: Text = Field(default="", description="Why, in a sentence.")
    started_at: Time = Field(description="When it became the candidate.")
    finished_at: Time = Field(description="When it ended.")
    approvals: Annotated[tuple[ApprovalRecord, ...], Field(max_length=8)] = Field(
        default=(), description="Who approved it."
    )


class HandledStatus(StatusModel):
    """The last value of each request annotation that was acted on; each value acts once."""

    abort: Annotated[str, Field(max_length=256)] = Field(default="", description="Of agentrollouts.io/abort.")
    retry: Annotated[str, Field(max_length=256)] = Field(default="", description="Of agentrollouts.io/retry.")
    undo: Annotated[str, Field(max_length=256)] = Field(default="", description="Of agentrollouts.io/undo.")
    resume: Annotated[str, Field(max_length=256)] = Field(
        default="", description="Of agentrollouts.io/resume."
    )


RolloutPhase = Literal[
    "Pending", "Progressing", "Paused", "AwaitingApproval", "Promoting", "Healthy", "Degraded", "RolledBack"
]


class RolloutStatus(StatusModel):
    """A report on the last observed state."""

    observed_generation: Count = Field(default=0, description="The metadata.generation this status is about.")
    phase: RolloutPhase = Field(default="Pending", description="Where the rollout stands, in one word.")
    message: Text = Field(default="", description="Where the rollout stands, in a sentence.")
    stable: StableStatus | None = None
    previous: PreviousStatus | None = None
    candidate: CandidateStatus | None = None
    rejected: RejectedStatus | None = None
    route: Name = Field(default="", description="The AgentRoute with the shares as the router serves them.")
    shares: Annotated[tuple[ShareStatus, ...], Field(max_length=16)] = Field(
        default=(), description="The share of each arm."
    )
    checks: Annotated[tuple[CheckStatus, ...], Field(max_length=32)] = Field(
        default=(), description="The verdict of each check."
    )
    breakers: Annotated[tuple[BreakerStatus, ...], Field(max_length=16)] = Field(
        default=(), description="The state of each circuit breaker."
    )
    drift: Annotated[tuple[DriftStatus, ...], Field(max_length=8)] = Field(
        default=(), description="What the stable version does otherwise than when it was accepted."
    )
    decision: DecisionStatus | None = None
    handled: HandledStatus = Field(default_factory=HandledStatus)
    history: Annotated[tuple[HistoryEntry, ...], Field(max_length=10)] = Field(
        default=(), description="How the last candidates fared."
    )
    attempts: Count = Field(default=0, description="Candidates started so far; numbers the gates.")
    advisor_usage: AdvisorUsage | None = None
    notices: NoticesStatus | None = None
    bundles: Annotated[tuple[BundleStatus, ...], Field(max_length=WAITING)] = Field(
        default=(), description="Evidence of rollbacks that the task ledger doesn't have yet, oldest first."
    )
    settled: Time | None = Field(
        default=None, description="Moment of the last decision on the route that this status reports."
    )
    conditions: Conditions = ()
