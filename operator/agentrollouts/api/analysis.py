"""What a Rollout measures and when that speaks against the candidate. Each check is one optional member of CheckSpec."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from agentrollouts.api.base import Rule, SpecModel, refusal, rules
from agentrollouts.api.scalars import Duration, Growth, Percent

MetricName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$",
        max_length=128,
        json_schema_extra=refusal(
            "write the bare name of a Prometheus counter, without labels or functions, such as orders_total"
        ),
    ),
]
CheckName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$",
        max_length=63,
        json_schema_extra=refusal(
            "write letters, digits and dashes, a letter first and no dash last, such as success"
        ),
    ),
]


class SuccessRateSpec(SpecModel):
    """The candidate's share of successful tasks against the old version's over the same time."""

    max_drop: Percent = Field(
        default="5%", validate_default=True, description="How many points lower the candidate may be."
    )


class FailureRateSpec(SpecModel):
    """The candidate's share of failed tasks against a fixed limit."""

    max: Percent = Field(description="The highest acceptable share of failed tasks.")


class CostSpec(SpecModel):
    """The candidate's mean cost of a task against the old version's."""

    max_increase: Growth = Field(
        default="50%",
        validate_default=True,
        description="How much dearer a task may become; 150% is two and a half times as dear.",
    )


class LatencySpec(SpecModel):
    """The share of the candidate's tasks that are slower than a histogram edge against the old version's."""

    slower_than: Duration = Field(
        default="5s",
        validate_default=True,
        description="A task slower than this counts as slow; rounded up to a bucket edge.",
    )
    max_increase: Percent = Field(
        default="10%",
        validate_default=True,
        description="How many points more slow tasks the candidate may have.",
    )


class ToolFailuresSpec(SpecModel):
    """The candidate's share of failed tool calls against the old version's."""

    max_increase: Percent = Field(
        default="5%", validate_default=True, description="How many points more tool calls may fail."
    )


class RatioSpec(SpecModel):
    """Two counters of your own, labelled by agent and version: bad events over all events."""

    bad: MetricName = Field(description="Counter of bad events.")
    total: MetricName = Field(description="Counter of all events.")
    max: Percent = Field(description="The highest acceptable share of bad events.")


CHECK_KINDS = ("successRate", "failureRate", "cost", "latency", "toolFailures", "ratio")
_count = " + ".join(f"(has(self.{kind}) ? 1 : 0)" for kind in CHECK_KINDS)


class CheckSpec(SpecModel):
    """One check: a name and exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(f"{_count} == 1", f"give exactly one kind of check: {', '.join(CHECK_KINDS)}"),
        )
    )

    name: CheckName = Field(description="The check's name, unique in this Rollout.")
    dry_run: bool = Field(default=False, description="Observe and show, never decide.")
    success_rate: SuccessRateSpec | None = None
    failure_rate: FailureRateSpec | None = None
    cost: CostSpec | None = None
    latency: LatencySpec | None = None
    tool_failures: ToolFailuresSpec | None = None
    ratio: RatioSpec | None = None

    @cached_property
    def member(self) -> tuple[str, SpecModel]:
        """Kind and spec of the one member that is set. Raises ValueError when there isn't exactly one."""
        given = [(kind, getattr(self, field)) for kind, field in _FIELDS.items()]
        found = [(kind, value) for kind, value in given if value is not None]
        if len(found) != 1:
            raise ValueError(
                f"check {self.name!r}: expected exactly one of {', '.join(CHECK_KINDS)}; got {len(found)}"
            )
        return found[0]


_FIELDS = {kind: name for name in CheckSpec.model_fields if (kind := to_camel(name)) in CHECK_KINDS}


DEFAULT_CHECKS = (
    CheckSpec(name="success", success_rate=SuccessRateSpec()),
    CheckSpec(name="cost", cost=CostSpec()),
    CheckSpec(name="latency", latency=LatencySpec()),
    CheckSpec(name="tools", tool_failures=ToolFailuresSpec()),
)


class Analysis(SpecModel):
    """When evidence is enough, what it is held against, and what happens when there is none."""

    interval: Annotated[
        Duration,
        Field(json_schema_extra=rules(Rule("!self.matches('^[0hms]+$')", "write at least 1s"))),
    ] = Field(
        default="2s",
        validate_default=True,
        description="How often the evidence is looked at; at least 1s. Every second while a check is a third of the way"
        " to a failure.",
    )
    minimum_samples: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=20, description="Finished tasks of the candidate before any check speaks."
    )
    window: Duration = Field(
        default="0s",
        validate_default=True,
        description="Judge only the evidence this far back, such as 6h; 0s judges everything since the candidate started.",
    )
    checks: Annotated[
        tuple[CheckSpec, ...],
        Field(
            max_length=32,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(
        default=(),
        description="The checks; none given means success, cost, latency and tool failures with their defaults.",
    )
    no_evidence_deadline: Duration = Field(
        default="1h",
        validate_default=True,
        description="How long a candidate that has traffic may go without usable evidence.",
    )
    on_no_evidence: Literal["Hold", "Pause", "Rollback"] = Field(
        default="Pause",
        description="What happens at that deadline: keep holding, pause until a person resumes, or roll back.",
    )

    def effective_checks(self) -> tuple[CheckSpec, ...]:
        """The checks that run."""
        return self.checks or DEFAULT_CHECKS
