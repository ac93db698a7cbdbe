"""spec.proposals: what an improver may do with its own proposals. Every default is the careful one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentrollouts.api.base import Rule, SpecModel, refusal, rules
from agentrollouts.api.scalars import Duration

EnvironmentVariable = Annotated[
    str,
    Field(
        pattern=r"^[A-Z_][A-Z0-9_]*$",
        min_length=1,
        max_length=64,
        json_schema_extra=refusal(
            "write the name of an environment variable in capitals, such as SYSTEM_PROMPT"
        ),
    ),
]


class ProposalsSpec(SpecModel):
    """Versions that an improver writes. Whatever stands here, a person says yes before such a version serves the majority."""

    auto_start: bool = Field(
        default=False,
        description="Whether the improver may set spec.version to its own proposal, so that it starts at the first step."
        " false: a person starts it.",
    )
    prompt_variable: EnvironmentVariable = Field(
        default="SYSTEM_PROMPT",
        description="The environment variable in the AgentVersion's template that holds the agent's system prompt.",
    )
    minimum_interval: Duration = Field(
        default="24h",
        validate_default=True,
        json_schema_extra=rules(
            Rule("duration(self) >= duration('10m')", "write at least 10m between two proposals")
        ),
        description="The time between two proposals; at least 10m.",
    )
    cool_down: Duration = Field(
        default="72h",
        validate_default=True,
        description="After a rollback nothing is proposed for this long.",
    )
