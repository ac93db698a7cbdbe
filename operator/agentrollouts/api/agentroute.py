"""AgentRoute: the shares as the router serves them. The operator writes it, the router reads it, users never touch it.

It is a resource of its own, not a part of Rollout's status, because it is the truth about traffic: one small write moves
it, the router needs no right on anything else, and what a rollback decided survives in ``intent`` when the operator dies
between this write and the next.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, rules
from agentrollouts.api.scalars import (
    FULL,
    AgentName,
    GroupName,
    HttpToken,
    ReasonText,
    Semver,
    ShareBps,
    Text,
    Time,
)

Cohort = Literal["candidate", "stable", "control"]
IntentAction = Literal["Start", "Advance", "Promote", "Rollback", "Undo", "Manual", "Install", "Withdraw"]
PORT_FIRST, PORT_LAST = 10_000, 19_999


class Arm(SpecModel):
    """A slice of the ring of basis points and the version that answers there."""

    cohort: Cohort = Field(description="The cohort whose outcomes this slice's tasks count for.")
    version: Semver = Field(description="The version that answers.")
    service: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="The Service in front of the version's pods."
    )
    share: ShareBps = Field(description="Length of the slice in basis points; 0 gets no request.")


class Sticky(SpecModel):
    """Where the sticky key comes from; empty: the x-agent-session header or the agent-session cookie, minted if absent."""

    header: HttpToken | None = Field(default=None, description="Request header that holds the key.")
    cookie: HttpToken | None = Field(default=None, description="Cookie that holds the key.")


class Intent(SpecModel):
    """The decision these shares came from, written in the same breath, so that a crash after it loses nothing."""

    action: IntentAction = Field(description="What was decided.")
    version: Semver = Field(description="The version the decision was about.")
    digest: Annotated[str, Field(max_length=71)] = Field(default="", description="Its artifact digest.")
    attempt: Annotated[int, Field(ge=0)] = Field(default=0, description="Which try of this artifact it was.")
    step: Annotated[int, Field(ge=-1, le=64)] = Field(
        default=-1, description="Index of the step; -1 before the first."
    )
    share: ShareBps = Field(
        default=0, description="The candidate's share under this decision, in basis points."
    )
    tasks: Annotated[float, Field(ge=0)] = Field(
        default=0, description="Tasks the candidate had finished at the decision."
    )
    reason: ReasonText = Field(default="", description="Why, in one CamelCase word.")
    message: Text = Field(default="", description="Why, in a sentence.")
    at: Time = Field(description="When it was decided.")


class AgentRouteSpec(SpecModel):
    """What the router serves for one agent."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                f"self.arms.map(a, a.share).sum() == {FULL}",
                f"the arms' shares must add up to {FULL} basis points",
            ),
        )
    )

    agent: AgentName = Field(description="The logical name callers use.")
    port: Annotated[int, Field(ge=PORT_FIRST, le=PORT_LAST)] = Field(
        description="Listener port on the router pods, unique in the cluster: the router tells agents apart by it."
    )
    offset: Annotated[int, Field(ge=0, lt=FULL)] = Field(
        default=0,
        description="Where on the ring of basis points the first arm starts, so that others are first each time.",
    )
    sticky: Sticky = Field(default_factory=Sticky)
    cookie_ttl_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = Field(
        default=86_400, description="Life of a minted session cookie in seconds."
    )
    group: GroupName = Field(
        default="", description="Assignment group: its rollouts honour each other's cohorts."
    )
    arms: Annotated[tuple[Arm, ...], Field(min_length=1, max_length=16)] = Field(
        description="The slices in ring order; their shares add up to 10000."
    )
    epoch: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Lease transitions of the writer; a reader ignores an epoch below one it has seen.",
    )
    timeout_seconds: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=300, description="How long a caller waits for a whole answer; streams end only when idle."
    )
    intent: Intent | None = None
