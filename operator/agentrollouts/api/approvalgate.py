"""ApprovalGate: the question put to a person before a candidate reaches a share that needs approval."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, StatusModel, rules
from agentrollouts.api.conditions import Conditions
from agentrollouts.api.scalars import AgentName, Digest, Percent, Semver, Text, Time

User = Annotated[str, Field(max_length=256)]
Count = Annotated[int, Field(ge=0)]
DIFF = 8192
"""Bytes of lines in which texts differ that a gate has room for."""


class CohortEvidence(SpecModel):
    """What one cohort achieved while the candidate was on its way."""

    cohort: Literal["candidate", "stable", "control"] = Field(
        description="candidate: the new version's users; control: as many of the old version's; stable: the others."
    )
    version: Semver = Field(description="The version that answered them.")
    tasks: Count = Field(default=0, description="Finished tasks.")
    success_rate: Annotated[str, Field(max_length=16)] = Field(
        default="", description="Share of tasks that succeeded, such as 97.4%; empty when there were none."
    )
    mean_cost_usd: Annotated[str, Field(max_length=24)] = Field(
        default="", description="Mean cost of a task in US dollars."
    )
    p95_latency_seconds: Annotated[str, Field(max_length=24)] = Field(
        default="", description="95 of 100 tasks took at most this many seconds: a bucket edge."
    )
    tool_success_rate: Annotated[str, Field(max_length=16)] = Field(
        default="", description="Share of tool calls that succeeded, such as 99.1%."
    )


class CheckEvidence(SpecModel):
    """The verdict of one check when the gate was made."""

    name: Annotated[str, Field(max_length=63)] = Field(description="The check's name in the Rollout.")
    verdict: Literal["PASS", "WARN", "FAIL", "INCONCLUSIVE"] = Field(description="What the check said.")
    reason: Text = Field(default="", description="Why, with the numbers.")


class ProofEvidence(SpecModel):
    """What the candidate proved before it got any traffic."""

    name: Annotated[str, Field(max_length=63)] = Field(description="The entry's name in spec.beforeTraffic.")
    kind: Annotated[str, Field(max_length=32)] = Field(description="The entry's kind.")
    verdict: Annotated[str, Field(max_length=16)] = Field(description="What its Job said.")
    message: Text = Field(default="", description="Why, with the numbers.")


class ApprovalGateSpec(SpecModel):
    """Made by the operator, once per candidate and attempt; immutable. The annotations are the answer."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("self == oldSelf", "an ApprovalGate's spec never changes; a new attempt gets a new gate"),
        )
    )

    agent: AgentName = Field(description="The agent, and the name of its Rollout.")
    version: Semver = Field(description="The candidate that wants the share.")
    artifact_digest: Digest = Field(description="What is approved: this artifact and no other.")
    stable: Semver = Field(description="The version that serves now.")
    share: Percent = Field(description="The share that needs approval.")
    requested_by: User = Field(
        default="",
        description="Who asked for this version, as the API server knows them; empty when nobody knows.",
    )
    separation_of_duties: bool = Field(
        default=True, description="Whether the approver must be somebody else than requestedBy."
    )
    quorum: Annotated[int, Field(ge=1, le=5)] = Field(
        default=1, description="How many different people must approve."
    )
    expires_at: Time | None = Field(
        default=None, description="After this moment the gate can no longer be opened."
    )
    rationale: Text = Field(default="", description="Why the proposer believes the candidate is better.")
    changes: Annotated[tuple[Annotated[str, Field(max_length=512)], ...], Field(max_length=64)] = Field(
        default=(), description="What differs from the stable version's release, one line a part."
    )
    diff: Annotated[str, Field(max_length=DIFF)] = Field(
        default="",
        description="In what prompts and tools differ, line by line, as far as there is room; or why they weren't compared.",
    )
    evidence: Annotated[tuple[CohortEvidence, ...], Field(max_length=8)] = Field(
        default=(), description="What each cohort achieved, side by side."
    )
    checks: Annotated[tuple[CheckEvidence, ...], Field(max_length=32)] = Field(
        default=(), description="The verdicts when the gate was made."
    )
    proofs: Annotated[tuple[ProofEvidence, ...], Field(max_length=8)] = Field(
        default=(), description="What it proved before it got any traffic."
    )


class ApprovalRecord(StatusModel):
    """One person's approval as the operator saw it."""

    approver: User = Field(description="User name, as the API server knows it.")
    digest: Digest = Field(description="The artifact that was approved.")
    time: Time = Field(description="When the operator saw the approval.")
    comment: Annotated[str, Field(max_length=1024)] = Field(
        default="", description="What the approver wrote."
    )
    verified: bool = Field(
        default=True, description="Whether the API server itself vouched for the approver's name."
    )


GatePhase = Literal["Pending", "Open", "Rejected", "Expired", "Withdrawn", "Closed"]


class ApprovalGateStatus(StatusModel):
    """How the gate stands."""

    phase: GatePhase = Field(
        default="Pending",
        description="Pending: waits for people; Open: approved; Rejected: a person said no; Expired: nobody came in"
        " time; Withdrawn: an approval was taken back, and another may be given; Closed: the approved share was given.",
    )
    approvals: Annotated[tuple[ApprovalRecord, ...], Field(max_length=16)] = Field(
        default=(), description="Who approved what, and when."
    )
    rejected_by: User = Field(default="", description="User name of whoever said no.")
    message: Text = Field(default="", description="How the gate stands, in a sentence.")
    conditions: Conditions = ()
