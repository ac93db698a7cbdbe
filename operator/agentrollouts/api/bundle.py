"""The evidence of a rollback, as it waits in the status until the ledger has it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentrollouts.api.base import StatusModel
from agentrollouts.api.findings import BreakerStatus, CheckStatus
from agentrollouts.api.scalars import ReasonText, ShareBps, Text, Time

WAITING = 4
"""Bundles of one Rollout that may wait. Each has a trial in it, and all of them must fit into one object."""
CHANGES = 64
"""Fields of the two releases that differ; a bundle has room for so many."""
DIFF = 8192
"""Bytes of lines in which texts differ that a bundle has room for."""
SENTENCE = 1024
"""Characters of a check's or a breaker's sentence in a bundle."""
Line = Annotated[str, Field(max_length=256)]


class ChangeStatus(StatusModel):
    """One field of the release in which the candidate differs from the stable version, as their AgentVersions say it."""

    field: Line = Field(description="The part and the field, such as model.snapshot.")
    before: Line = Field(default="", description="Of the stable version; empty where it says nothing.")
    after: Line = Field(default="", description="Of the candidate; empty where it says nothing.")


class TrialRecord(StatusModel):
    """The sequential test as it stood."""

    terms: Annotated[str, Field(max_length=16)] = Field(description="Which checks and versions it was about.")
    state: Annotated[str, Field(max_length=65_536)] = Field(
        description="Sums and evidence of both cohorts in full precision, as JSON."
    )
    blocks: Annotated[int, Field(ge=0)] = Field(
        default=0, description="How many pieces of evidence it had taken in."
    )
    at: Time = Field(description="When it stood so.")


class BundleStatus(StatusModel):
    """All that was known when a candidate was taken out; the ledger adds the tasks that failed."""

    attempt: Annotated[int, Field(ge=0)] = Field(description="The attempt that ended.")
    version: Line = Field(description="The candidate's spec.version.")
    digest: Line = Field(default="", description="Its artifact digest.")
    stable: Line = Field(default="", description="The version that serves again.")
    stable_digest: Line = Field(default="", description="Its artifact digest.")
    reason: ReasonText = Field(description="Why the candidate was taken out, in one CamelCase word.")
    message: Text = Field(default="", description="Why, with the numbers.")
    started_at: Time = Field(description="When it became the candidate.")
    first_share_at: Time | None = Field(default=None, description="When it got its first traffic.")
    at: Time = Field(description="When it was taken out.")
    step: Annotated[int, Field(ge=-1, le=64)] = Field(
        default=-1, description="Index of the step it had come to; -1 before the first."
    )
    share: ShareBps = Field(default=0, description="The share it had, in basis points.")
    checks: Annotated[tuple[CheckStatus, ...], Field(max_length=32)] = Field(
        default=(), description="The verdict of each check, with both cohorts' numbers."
    )
    breakers: Annotated[tuple[BreakerStatus, ...], Field(max_length=16)] = Field(
        default=(), description="The state of each circuit breaker."
    )
    trial: TrialRecord | None = None
    changes: Annotated[tuple[ChangeStatus, ...], Field(max_length=CHANGES)] | None = Field(
        default=None,
        description="In what the two releases differ; absent where one of them isn't known any more.",
    )
    diff: Annotated[str, Field(max_length=DIFF)] = Field(
        default="",
        description="In what prompts and tools differ, line by line, as far as there is room; or why they weren't compared.",
    )
