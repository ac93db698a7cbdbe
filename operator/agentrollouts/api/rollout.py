"""Rollout: how an agent's versions earn their traffic. One per agent, long-lived; change ``spec.version`` and it begins."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.advisor import AdvisorSpec
from agentrollouts.api.agentroute import Sticky
from agentrollouts.api.analysis import Analysis
from agentrollouts.api.base import Rule, SpecModel, rules
from agentrollouts.api.before_traffic import BeforeTraffic
from agentrollouts.api.monitor import MonitorSpec
from agentrollouts.api.notify import NotifierSpec
from agentrollouts.api.proposals import ProposalsSpec
from agentrollouts.api.scalars import AgentName, Duration, GroupName, HttpToken, Percent, Semver
from agentrollouts.api.strategy import Strategy
from agentrollouts.api.verification import ReleasePolicy


class Assignment(SpecModel):
    """What makes a caller stay with a version."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("!(has(self.header) && has(self.cookie))", "give at most one of header and cookie")
        )
    )

    header: HttpToken | None = Field(
        default=None, description="Request header that names the user or session."
    )
    cookie: HttpToken | None = Field(default=None, description="Cookie that names the user or session.")
    cookie_ttl: Duration = Field(
        default="24h",
        validate_default=True,
        description="Life of the cookie the router mints for callers that bring no key.",
    )
    unit: Literal["User", "Session"] = Field(
        default="User",
        description="What a key names. Session: each session brings a key of its own, so that their numbers show whether"
        " callers are split as configured; where they aren't, no verdict counts.",
    )
    group: GroupName = Field(
        default="",
        description="Rollouts of one group share their salt and pass their cohorts on, so that agents"
        " released together meet each other.",
    )

    def sticky(self) -> Sticky:
        """The router's form of it."""
        return Sticky(header=self.header, cookie=self.cookie)


class Control(SpecModel):
    """The control cohort: users of the old version, as many as the candidate's, measured apart."""

    max_share: Percent = Field(
        default="10%",
        validate_default=True,
        description="The largest share of the control cohort; 0% means none.",
    )


class RouterSpec(SpecModel):
    """What moves the traffic."""

    kind: Literal["Envoy"] = Field(default="Envoy", description="The built-in Envoy router.")
    timeout: Duration = Field(
        default="5m",
        validate_default=True,
        description="The longest a caller waits for the start of an answer.",
    )


class Approval(SpecModel):
    """Who must say yes, and before which share."""

    above: Percent = Field(
        default="99.99%",
        validate_default=True,
        description="Shares above this need approval. The default asks before the final step to 100%;"
        " 50% asks before the candidate's majority. The final step always asks.",
    )
    quorum: Annotated[int, Field(ge=1, le=5)] = Field(
        default=1, description="How many different people must approve."
    )
    ttl: Duration = Field(
        default="168h",
        validate_default=True,
        description="A gate not opened within this time expires, and the candidate is rolled back.",
    )
    separation_of_duties: bool = Field(
        default=True, description="Whoever asked for the version can't approve it."
    )


class RollbackPolicy(SpecModel):
    """What a rollback does with work in progress, and how long the last good version stays warm."""

    sessions: Literal["drain", "evict"] = Field(
        default="drain",
        description="drain: requests in flight finish within the deadline; evict: the candidate stops at once.",
    )
    deadline: Duration = Field(
        default="30s", validate_default=True, description="How long requests in flight may take to finish."
    )
    warm_for: Duration = Field(
        default="1h",
        validate_default=True,
        description="How long the previous version stays at full size after a promotion.",
    )
    ready_deadline: Duration = Field(
        default="10m",
        validate_default=True,
        description="A candidate that isn't ready by then is rolled back.",
    )
    cool_down: Duration = Field(
        default="10m",
        validate_default=True,
        description="After a rollback no other candidate starts for this long, unless a person asks for a retry. An abort"
        " or an undo by a person isn't followed by any.",
    )
    max_restarts: Annotated[int, Field(ge=0, le=100)] = Field(
        default=2,
        description="More container restarts of the candidate than this roll it back, whatever the metrics say.",
    )


class RolloutSpec(SpecModel):
    """What should run, and how carefully it gets there."""

    agent: AgentName = Field(description="The logical name callers use; also the Rollout's name.")
    version: Semver = Field(description="The AgentVersion you want. Change it and a rollout begins.")
    release: ReleasePolicy = Field(default_factory=ReleasePolicy)
    paused: bool = Field(default=False, description="Hold at the present share; rollbacks still happen.")
    assignment: Assignment = Field(default_factory=Assignment)
    control: Control = Field(default_factory=Control)
    router: RouterSpec = Field(default_factory=RouterSpec)
    before_traffic: BeforeTraffic = Field(
        default=(),
        description="What a candidate must prove, one after the other, before it gets any traffic; with every strategy.",
    )
    strategy: Strategy = Field(default_factory=Strategy)
    analysis: Analysis = Field(default_factory=Analysis)
    monitor: MonitorSpec = Field(default_factory=MonitorSpec)
    approval: Approval = Field(default_factory=Approval)
    advisor: AdvisorSpec | None = None
    rollback: RollbackPolicy = Field(default_factory=RollbackPolicy)
    proposals: ProposalsSpec = Field(default_factory=ProposalsSpec)
    notify: Annotated[
        tuple[NotifierSpec, ...],
        Field(
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default=(), description="Who is told when something happens that a person should know of.")
