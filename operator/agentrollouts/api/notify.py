"""Who is told what about a Rollout, and what is remembered of it.

A notifier names a destination by ``ref``; the URL is in a Secret that is mounted into the operator. So whoever writes a
Rollout chooses among the destinations the cluster's administrator has set up, and nobody reads a URL or a key in a spec.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, StatusModel, only_member, refusal, rules
from agentrollouts.api.scalars import ReasonText, ShareBps, Time

Happening = Literal[
    "Started",
    "Advanced",
    "ApprovalNeeded",
    "Paused",
    "Stalled",
    "RolledBack",
    "Promoted",
    "Undone",
    "Drifted",
]
"""What a person may be told of. RolledBack includes an abort; Drifted is about the version that serves."""
USUAL: tuple[Happening, ...] = ("RolledBack", "ApprovalNeeded", "Paused", "Drifted")
"""What a person is told of where nothing is said."""
PARTS = 5
"""A release has so many parts."""
FINDINGS = 8
"""Findings a notice has room for."""
WAITING = 8
"""Notices of one Rollout that may wait to be delivered."""
TOLD = 16
"""Identities of notices that are remembered, of the present attempt."""
CHANGES = 8
"""Lines about what differs that a notice has room for."""
SENTENCE = 1024
"""Characters of a notice's message."""
DIFF = 4096
"""Bytes of lines in which texts differ that a notice has room for. It waits in the status, so they are few."""

NotifierName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        max_length=63,
        json_schema_extra=refusal(
            "write lower-case letters, digits and dashes, no dash first or last, such as oncall"
        ),
    ),
]
Line = Annotated[str, Field(max_length=256)]


class WebhookSpec(SpecModel):
    """An HTTP endpoint that gets each notice as JSON, signed where the destination has a key."""

    ref: NotifierName = Field(
        description="The destination's name among those the operator was installed with."
    )


class SlackSpec(SpecModel):
    """An incoming webhook of Slack, or of what understands the same."""

    ref: NotifierName = Field(
        description="The destination's name among those the operator was installed with."
    )


NOTIFIER_KINDS = ("webhook", "slack")
_count = " + ".join(f"(has(self.{kind}) ? 1 : 0)" for kind in NOTIFIER_KINDS)


class NotifierSpec(SpecModel):
    """One notifier: a name, what it tells of, and exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(f"{_count} == 1", f"give exactly one kind of notifier: {', '.join(NOTIFIER_KINDS)}"),
        )
    )

    name: NotifierName = Field(description="The notifier's name, unique in this Rollout.")
    on: Annotated[
        tuple[Happening, ...],
        Field(min_length=1, max_length=9, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(default=USUAL, description="What it tells of.")
    diff: bool = Field(
        default=True,
        description="false: the lines in which prompts and tools differ stay in the cluster; notices are sent without them.",
    )
    webhook: WebhookSpec | None = None
    slack: SlackSpec | None = None

    @cached_property
    def member(self) -> tuple[str, SpecModel]:
        """Kind and spec of the one member that is set. Raises ValueError when there isn't exactly one."""
        return only_member(self, NOTIFIER_KINDS, whose=f"notifier {self.name!r}")


class FindingStatus(StatusModel):
    """A check or a circuit breaker that spoke against the candidate, or couldn't speak."""

    name: Annotated[str, Field(max_length=63)] = Field(description="Its name in spec.analysis.")
    verdict: Annotated[str, Field(max_length=16)] = Field(description="What it says.")
    reason: Line = Field(default="", description="Why, with the numbers.")


class NoticeStatus(StatusModel):
    """Something a person has still to be told. It holds all that will be told, so that a restart loses nothing."""

    id: Line = Field(description="Its identity: the same happening has the same, however often it is sent.")
    happening: Happening = Field(description="What happened.")
    at: Time = Field(description="When it was decided.")
    to: Annotated[tuple[NotifierName, ...], Field(max_length=8)] = Field(description="The notifiers asked.")
    attempt: Annotated[int, Field(ge=0)] = Field(default=0, description="The attempt it is about.")
    candidate: Line = Field(default="", description="The version it is about.")
    candidate_digest: Line = Field(default="", description="Its artifact digest.")
    stable: Line = Field(
        default="", description="The version beside it: the one that served, or serves again."
    )
    stable_digest: Line = Field(default="", description="Its artifact digest.")
    share_before: ShareBps = Field(default=0, description="The candidate's share before, in basis points.")
    share_after: ShareBps = Field(default=0, description="Its share afterwards, in basis points.")
    reason: ReasonText = Field(default="", description="Why, in one CamelCase word.")
    message: Annotated[str, Field(max_length=SENTENCE)] = Field(default="", description="Why, in a sentence.")
    changed: Annotated[tuple[Line, ...], Field(max_length=PARTS)] | None = Field(
        default=None, description="The parts of the release that differ; absent where that isn't known."
    )
    changes: Annotated[tuple[Line, ...], Field(max_length=CHANGES)] = Field(
        default=(), description="What differs in them, one line each; what lets the agent do more is first."
    )
    diff: Annotated[str, Field(max_length=DIFF)] = Field(
        default="",
        description="In what prompts and tools differ, line by line, as far as there is room; or why they weren't compared.",
    )
    findings: Annotated[tuple[FindingStatus, ...], Field(max_length=FINDINGS)] = Field(
        default=(), description="The checks that don't pass and the breakers that tripped."
    )
    rationale: Line = Field(default="", description="What its author says of the candidate.")


class NoticesStatus(StatusModel):
    """What people have been told, as far as it must be remembered."""

    told: Annotated[tuple[Line, ...], Field(max_length=TOLD)] = Field(
        default=(), description="States of the present attempt that were told and aren't told again."
    )
    pending: Annotated[tuple[NoticeStatus, ...], Field(max_length=WAITING)] = Field(
        default=(), description="What is still to be delivered, the oldest first."
    )
