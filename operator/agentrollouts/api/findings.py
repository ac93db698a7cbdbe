"""What the status says of a candidate's checks, its circuit breakers and the quality gate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentrollouts.api.base import StatusModel
from agentrollouts.api.scalars import Text, Time


class CheckStatus(StatusModel):
    """The verdict of a check when it last changed."""

    name: Annotated[str, Field(max_length=63)] = Field(
        description="The check's name in spec.analysis.checks."
    )
    verdict: Literal["PASS", "WARN", "FAIL", "INCONCLUSIVE"] = Field(description="What the check says.")
    reason: Text = Field(default="", description="Why, with the numbers.")


class BreakerStatus(StatusModel):
    """The state of a circuit breaker when it last changed. It is no check, and no part of the error budget."""

    name: Annotated[str, Field(max_length=63)] = Field(
        description="The breaker's name in spec.analysis.breakers."
    )
    state: Literal["Armed", "Tripped", "Inconclusive"] = Field(
        description="Armed: the candidate is within the limit; Inconclusive: too little is known of it to say."
    )
    reason: Text = Field(default="", description="Why, with the numbers.")


class LookStatus(StatusModel):
    """One verdict that counts: the quality gate's, or that of a check whose failures add up."""

    verdict: Literal["PASS", "WARN", "FAIL"] = Field(description="What was said.")
    at: Time = Field(description="When it was said.")


class CheckLooksStatus(StatusModel):
    """The last verdicts of one check whose failures add up on their own."""

    name: Annotated[str, Field(max_length=63)] = Field(
        description="The check's name in spec.analysis.checks."
    )
    looks: Annotated[tuple[LookStatus, ...], Field(max_length=20)] = Field(
        default=(), description="Oldest first, from the first failed one on."
    )
