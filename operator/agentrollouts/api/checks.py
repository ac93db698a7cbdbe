"""What a Rollout measures. Each kind of check is one optional member of CheckSpec."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, only_member, refusal, rules
from agentrollouts.api.check_kinds import (
    CostSpec,
    FailureRateSpec,
    LatencyQuantileSpec,
    LatencySpec,
    RatioSpec,
    SuccessRateSpec,
    ToolFailuresSpec,
)
from agentrollouts.api.promql_check import PromqlSpec
from agentrollouts.api.session_kinds import (
    EventsSpec,
    LlmCallsSpec,
    ResponseLengthSpec,
    ScoreSpec,
    ToolMixSpec,
    TopicMixSpec,
)

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

CHECK_KINDS = (
    "successRate",
    "failureRate",
    "cost",
    "latency",
    "latencyQuantile",
    "toolFailures",
    "toolMix",
    "topicMix",
    "responseLength",
    "events",
    "llmCalls",
    "score",
    "ratio",
    "promql",
)
WEIGHTS: Mapping[str, int] = MappingProxyType({"successRate": 60, "cost": 15, "latency": 15})
"""What a check of a kind weighs where nothing is given; OTHER_WEIGHT for the rest."""
OTHER_WEIGHT = 5
_count = " + ".join(f"(has(self.{kind}) ? 1 : 0)" for kind in CHECK_KINDS)


class CheckSpec(SpecModel):
    """One check: a name and exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(f"{_count} == 1", f"give exactly one kind of check: {', '.join(CHECK_KINDS)}"),
        )
    )

    name: CheckName = Field(description="The check's name, unique in this Rollout.")
    weight: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None,
        description="Its part in the score of the quality gate. Where absent, 60 for successRate, 15 for cost and latency,"
        " 5 for the others.",
    )
    critical: bool | None = Field(
        default=None,
        description="Whether the quality gate fails with it, whatever its weight. Where absent, true for successRate.",
    )
    dry_run: bool = Field(default=False, description="Observe and show, never decide.")
    success_rate: SuccessRateSpec | None = None
    failure_rate: FailureRateSpec | None = None
    cost: CostSpec | None = None
    latency: LatencySpec | None = None
    latency_quantile: LatencyQuantileSpec | None = None
    tool_failures: ToolFailuresSpec | None = None
    tool_mix: ToolMixSpec | None = None
    topic_mix: TopicMixSpec | None = None
    response_length: ResponseLengthSpec | None = None
    events: EventsSpec | None = None
    llm_calls: LlmCallsSpec | None = None
    score: ScoreSpec | None = None
    ratio: RatioSpec | None = None
    promql: PromqlSpec | None = None

    @cached_property
    def member(self) -> tuple[str, SpecModel]:
        """Kind and spec of the one member that is set. Raises ValueError when there isn't exactly one."""
        return only_member(self, CHECK_KINDS, whose=f"check {self.name!r}")

    @cached_property
    def effective_weight(self) -> int:
        """The weight given, or its kind's."""
        return WEIGHTS.get(self.member[0], OTHER_WEIGHT) if self.weight is None else self.weight

    @cached_property
    def is_critical(self) -> bool:
        """Whether the quality gate fails with this check."""
        return self.member[0] == "successRate" if self.critical is None else self.critical


DEFAULT_CHECKS = (
    CheckSpec(name="success", success_rate=SuccessRateSpec()),
    CheckSpec(name="cost", cost=CostSpec()),
    CheckSpec(name="latency", latency=LatencySpec()),
    CheckSpec(name="tools", tool_failures=ToolFailuresSpec()),
    CheckSpec(name="tool-mix", tool_mix=ToolMixSpec()),
    CheckSpec(name="refusals", events=EventsSpec(event="refusal")),
)
