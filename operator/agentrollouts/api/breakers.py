"""Circuit breakers: fixed limits on the candidate alone that act at once. Each kind is one optional member of BreakerSpec."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, only_member, rules
from agentrollouts.api.checks import CheckName
from agentrollouts.api.scalars import Duration, Percent, Usd


class CostBreaker(SpecModel):
    """Trips when a task of the candidate costs more than this on average."""

    max_per_task: Usd = Field(description="The highest acceptable mean cost of a task, in US dollars.")


class ErrorsBreaker(SpecModel):
    """Trips when more than this share of the candidate's tasks fails."""

    max: Percent = Field(description="The highest acceptable share of failed tasks.")


class InterventionsBreaker(SpecModel):
    """Trips when a person has to step in more often than this."""

    max: Percent = Field(description="The most interventions per task.")


BREAKER_KINDS = ("cost", "errors", "interventions")
_count = " + ".join(f"(has(self.{kind}) ? 1 : 0)" for kind in BREAKER_KINDS)


class BreakerSpec(SpecModel):
    """One circuit breaker: a name and exactly one kind. It compares with nothing and spends no error budget."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(f"{_count} == 1", f"give exactly one kind of breaker: {', '.join(BREAKER_KINDS)}"),
        )
    )

    name: CheckName = Field(description="The breaker's name, unique in this Rollout.")
    minimum_tasks: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=10, description="Finished tasks of the candidate before it may trip."
    )
    window: Duration | None = Field(
        default=None,
        description="Look only this far back, such as 10m; everything since the candidate started where absent.",
    )
    cost: CostBreaker | None = None
    errors: ErrorsBreaker | None = None
    interventions: InterventionsBreaker | None = None

    @cached_property
    def member(self) -> tuple[str, SpecModel]:
        """Kind and spec of the one member that is set. Raises ValueError when there isn't exactly one."""
        return only_member(self, BREAKER_KINDS, whose=f"breaker {self.name!r}")
