"""What each kind of check asks for. Percentages are basis points inside, money is micro-dollars.

Two limits recur. ``tolerance``: as long as the candidate may be worse by no more than this, nothing is held against it.
``maxDrop``, ``maxIncrease`` or ``maxChange``: worse by more than this, and it doesn't advance. A fixed limit beside them
(``min``, ``max``, ``limit``) is about the candidate alone.
"""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, refusal, rules
from agentrollouts.api.scalars import Duration, Growth, Percent, Usd, percent_in_cel

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


class Allowed(Protocol):
    """How much worse a kind lets the candidate be, in basis points."""

    @property
    def tolerance(self) -> int:
        """Nothing is held against it up to here."""


def tolerated(spec: Allowed, most: int) -> int:
    """The tolerance in basis points, at most ``most``: who allows little tolerates no more."""
    return min(spec.tolerance, most)


def tolerance_at_most(most: str) -> ConfigDict:
    """The rule of a kind whose tolerance may not be above the field ``most``."""
    low, high = percent_in_cel("self.tolerance"), percent_in_cel(f"self.{most}")
    return ConfigDict(
        json_schema_extra=rules(
            Rule(
                f"!has(self.tolerance) || !has(self.{most}) || {low} <= {high}",
                f"tolerance must be at most {most}",
                ".tolerance",
            )
        )
    )


class SuccessRateSpec(SpecModel):
    """The candidate's share of successful tasks against the old version's over the same time."""

    model_config = tolerance_at_most("maxDrop")

    max_drop: Percent | None = Field(
        default=None, description="How many points lower the candidate may be; analysis.margin where absent."
    )
    tolerance: Percent = Field(
        default="0%",
        validate_default=True,
        description="How many points lower it may be without anything held against it.",
    )
    min: Percent | None = Field(
        default=None,
        description="The lowest acceptable share of successful tasks, whatever the old version has.",
    )


class FailureRateSpec(SpecModel):
    """The candidate's share of failed tasks against a fixed limit."""

    max: Percent = Field(description="The highest acceptable share of failed tasks.")


class CostSpec(SpecModel):
    """The candidate's mean cost of a task against the old version's."""

    model_config = tolerance_at_most("maxIncrease")

    tolerance: Growth = Field(
        default="10%",
        validate_default=True,
        description="How much dearer a task may become without anything held against it.",
    )
    max_increase: Growth = Field(
        default="30%",
        validate_default=True,
        description="How much dearer a task may become; 150% is two and a half times as dear.",
    )
    max: Usd | None = Field(
        default=None, description="The highest acceptable mean cost of a task, in US dollars."
    )


class LatencySpec(SpecModel):
    """How long the candidate's tasks take against the old version's, at every histogram edge that tells them apart."""

    model_config = tolerance_at_most("maxIncrease")

    tolerance: Growth = Field(
        default="10%",
        validate_default=True,
        description="How much longer tasks may take without anything held against it.",
    )
    max_increase: Growth = Field(
        default="30%", validate_default=True, description="How much longer tasks may take."
    )
    slower_than: Duration | None = Field(
        default=None, description="Judge the first bucket edge at or beyond this alone, such as 5s."
    )


class LatencyQuantileSpec(SpecModel):
    """A quantile of the candidate's task durations against a fixed limit, from the buckets of all its pods together."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                f"!has(self.quantile) || {percent_in_cel('self.quantile')} > 0"
                f" && {percent_in_cel('self.quantile')} < 10000",
                "a quantile must be above 0% and below 100%, such as 99%",
                ".quantile",
            )
        )
    )

    quantile: Percent = Field(
        default="99%", validate_default=True, description="This share of the tasks must be within the limit."
    )
    max: Duration = Field(description="The longest acceptable duration at that quantile.")


class ToolFailuresSpec(SpecModel):
    """The candidate's share of failed tool calls against the old version's."""

    model_config = tolerance_at_most("maxIncrease")

    tolerance: Percent = Field(
        default="1%",
        validate_default=True,
        description="How many points more tool calls may fail without anything held against it.",
    )
    max_increase: Percent = Field(
        default="5%", validate_default=True, description="How many points more tool calls may fail."
    )
    max: Percent | None = Field(
        default=None,
        description="The highest acceptable share of failed tool calls, whatever the old version has.",
    )


class RatioSpec(SpecModel):
    """Two counters of your own, labelled by agent and version: bad events over all events."""

    bad: MetricName = Field(description="Counter of bad events.")
    total: MetricName = Field(description="Counter of all events.")
    max: Percent = Field(description="The highest acceptable share of bad events.")
