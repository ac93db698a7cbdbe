"""The check ``promql``: a query of the user's own, answered for each version and cohort, against limits.

Limits are numbers of whatever the query measures. ``min`` and ``max`` are about the candidate alone; ``maxIncrease`` and
``maxDecrease`` are relative to the old version's value, because nobody knows the unit.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, refusal, rules
from agentrollouts.api.scalars import Growth, Number, Percent, number_in_cel

Unit = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z%$][-a-zA-Z0-9%$/_. ]*$",
        max_length=24,
        json_schema_extra=refusal(
            "write a unit of letters, digits, spaces and %$/_.-, a letter, % or $ first, such as ms or tickets/h"
        ),
    ),
]
LIMITS = ("max", "min", "maxIncrease", "maxDecrease")
_any = " || ".join(f"has(self.{limit})" for limit in LIMITS)
_ordered = f"{number_in_cel('self.min')} <= {number_in_cel('self.max')}"


class PromqlSpec(SpecModel):
    """A number of your own from Prometheus, by version and cohort. It has no part in the error budget."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                _any, f"give at least one of {', '.join(LIMITS)}: without a limit there is nothing to judge"
            ),
            Rule(
                f"!has(self.min) || !has(self.max) || {_ordered}",
                "min must be at most max, or no value would pass",
                ".min",
            ),
        )
    )

    query: Annotated[str, Field(min_length=1, max_length=4096)] = Field(
        description="PromQL that gives one number for each version and cohort: it groups by (version, cohort). It names"
        ' namespace="{{ namespace }}" and agent="{{ agent }}", or groups by them, too; [{{ window }}] is analysis.window,'
        " 5m where that is 0s.",
    )
    max: Number | None = Field(
        default=None, description="The highest acceptable value of the candidate, in quotes."
    )
    min: Number | None = Field(
        default=None, description="The lowest acceptable value of the candidate, in quotes."
    )
    max_increase: Growth | None = Field(
        default=None,
        description="How much higher than the old version's it may be; 50% is one and a half times.",
    )
    max_decrease: Percent | None = Field(
        default=None, description="How much lower than the old version's it may be; 25% is three quarters."
    )
    on_failure: Literal["Hold", "Rollback"] = Field(
        default="Hold",
        description="Hold: beyond a limit it warns. Rollback: it fails, and failures that add up as in analysis.failures"
        " take the candidate out; in threshold mode as part of the quality gate.",
    )
    unit: Unit | None = Field(default=None, description="What the numbers are, for people, such as ms.")
