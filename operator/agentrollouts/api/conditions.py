"""Conditions after kstatus (Ready, Reconciling, Stalled), so that ``kubectl wait``, Flux and Argo CD understand us."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentrollouts.api.base import StatusModel
from agentrollouts.api.scalars import ReasonText, Text, Time


class Condition(StatusModel):
    """One observation about an object; ``lastTransitionTime`` moves only when ``status`` does."""

    type: Annotated[str, Field(max_length=64)] = Field(
        description="Ready, Reconciling, Stalled or another, by name."
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it is so.")
    reason: ReasonText = Field(default="", description="Why, in one CamelCase word for programs.")
    message: Text = Field(default="", description="Why, in a sentence for people.")
    observed_generation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="The metadata.generation this was observed at."
    )
    last_transition_time: Time = Field(description="When status last changed.")


Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=16,
        description="What was observed; Ready, Reconciling and Stalled as kstatus defines them.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
]
