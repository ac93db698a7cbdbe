"""How a candidate's share grows: by fixed steps, by tuning itself, or by hand."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, rules
from agentrollouts.api.scalars import FULL, Duration, Percent, Semver, percent_in_cel


class Step(SpecModel):
    """One share, and what must happen there before the next."""

    share: Percent = Field(description="The candidate's share of the traffic, such as 5% or 0.5%.")
    soak: Duration = Field(
        default="15m",
        validate_default=True,
        description="The share is held at least this long, such as 30m or 1h.",
    )
    minimum_sessions: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None,
        description="Sessions of the candidate needed at this step, in threshold mode finished tasks;"
        " analysis.minimumSessions where absent.",
    )


DEFAULT_STEPS = tuple(
    Step.model_validate({"share": share, "soak": soak})
    for share, soak in (("5%", "15m"), ("20%", "30m"), ("50%", "1h"))
)

_this, _that = percent_in_cel("s.share"), percent_in_cel("t.share")
_grows = f"self.map(s, {_this}).isSorted() && self.all(s, self.exists_one(t, {_that} == {_this}))"


class SelfTuning(SpecModel):
    """The share follows the candidate's failure rate between hard rails."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                f"{percent_in_cel('self.floor')} <= {percent_in_cel('self.start')}"
                f" && {percent_in_cel('self.start')} <= {percent_in_cel('self.ceiling')}",
                "floor must be at most start, and start at most ceiling",
                ".start",
            ),
            Rule(
                f"{percent_in_cel('self.promoteBelow')} <= {percent_in_cel('self.rollbackAbove')}",
                "promoteBelow must be at most rollbackAbove; between the two the share is held",
                ".promoteBelow",
            ),
            Rule(
                "self.minimumSamples <= self.window",
                "minimumSamples must be at most window, or the failure rate would never count",
                ".minimumSamples",
            ),
        )
    )

    floor: Percent = Field(
        default="0%",
        validate_default=True,
        description="The share a rollback goes to; 0% sends the candidate nothing.",
    )
    start: Percent = Field(default="5%", validate_default=True, description="The first share.")
    ceiling: Percent = Field(
        default="100%",
        validate_default=True,
        description="The highest share; below 100% the candidate never becomes stable by itself.",
    )
    max_step: Percent = Field(
        default="20%",
        validate_default=True,
        description="The most the share may grow at once, in points of traffic.",
    )
    promote_below: Percent = Field(
        default="5%", validate_default=True, description="A failure rate below this lets the share grow."
    )
    rollback_above: Percent = Field(
        default="15%", validate_default=True, description="A failure rate above this rolls back at once."
    )
    minimum_samples: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=20, description="Finished tasks needed before the failure rate counts."
    )
    window: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=100, description="The failure rate is taken over this many of the last finished tasks."
    )
    interval: Duration = Field(
        default="1m", validate_default=True, description="A share is held at least this long."
    )


class ManualShare(SpecModel):
    """One version and its share."""

    version: Semver = Field(description="The AgentVersion's spec.version.")
    share: Percent = Field(description="Its share of the traffic; 0% sends it nothing.")


class Manual(SpecModel):
    """Shares set by hand, for any number of versions side by side; nothing moves by itself."""

    shares: Annotated[
        tuple[ManualShare, ...],
        Field(
            min_length=1,
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["version"]}
            | rules(
                Rule(
                    f"self.map(s, {_this}).sum() == {FULL}",
                    "the shares of a manual strategy must add up to 100%",
                )
            ),
        ),
    ] = Field(description="One share a version; together 100%.")


class Strategy(SpecModel):
    """At most one of steps, selfTuning and manual; none means steps of 5% for 15m, 20% for 30m and 50% for 1h."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "(has(self.steps) ? 1 : 0) + (has(self.selfTuning) ? 1 : 0) + (has(self.manual) ? 1 : 0) <= 1",
                "give at most one strategy: steps, selfTuning or manual",
            ),
        )
    )

    steps: (
        Annotated[
            tuple[Step, ...],
            Field(
                min_length=1,
                max_length=20,
                json_schema_extra={"x-kubernetes-list-type": "atomic"}
                | rules(
                    Rule(
                        _grows,
                        "each step's share must be larger than the one before; a candidate never steps down",
                    ),
                    Rule(
                        f"self.all(s, {_this} > 0 && {_this} < {FULL})",
                        "a step's share must be above 0% and below 100%;"
                        " the last step to 100% comes by itself after approval",
                    ),
                ),
            ),
        ]
        | None
    ) = Field(default=None, description="Shares in growing order; 100% follows by itself after approval.")
    self_tuning: SelfTuning | None = None
    manual: Manual | None = None

    def effective_steps(self) -> tuple[Step, ...]:
        """The steps that run when neither selfTuning nor manual is given."""
        return self.steps or DEFAULT_STEPS
