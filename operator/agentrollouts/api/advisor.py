"""The advisor of a Rollout: a language model that may hold the candidate back, and what is remembered of its opinions."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, StatusModel, refusal, rules
from agentrollouts.api.scalars import Duration, Percent, ShareBps, Time

AdviceOutcome = Literal[
    "Proceed",
    "Hold",
    "Rollback",
    "Timeout",
    "Refused",
    "Nonsense",
    "Unreachable",
    "BudgetSpent",
    "NotConfigured",
    "Failed",
]
"""The first three are opinions; each of the others is why there is none."""
EVIDENCE = 5
"""Pieces of evidence that are kept of an opinion."""
LONGEST = timedelta(minutes=2)
"""The longest an answer may take: while it is awaited, a candidate doesn't grow."""

Url = Annotated[
    str,
    Field(
        pattern=r"^(https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]*)?)?$",
        max_length=256,
        json_schema_extra=refusal(
            "write an http or https URL without user, query and fragment, such as http://llm.models.svc:8000/v1"
        ),
    ),
]


def _bounded(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= LONGEST:
        raise ValueError(f"expected more than 0s and at most 2m; got {value.total_seconds():g} s")
    return value


class AdvisorSpec(SpecModel):
    """Whom to ask before the candidate grows, and how much that one may do. It can never make a share larger."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "duration(self.timeout) > duration('0s') && duration(self.timeout) <= duration('2m')",
                "write a timeout of more than 0s and at most 2m",
                ".timeout",
            ),
        )
    )

    kind: Literal["OpenAI"] = Field(
        default="OpenAI", description="Any endpoint that speaks OpenAI's chat completions."
    )
    model: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="The model's name, as the endpoint knows it."
    )
    base_url: Url = Field(
        default="",
        alias="baseURL",
        description="The endpoint, up to and including /v1; the operator's own where absent. Only the operator's own"
        " is ever sent the operator's API key.",
    )
    max_holds: Annotated[int, Field(ge=0, le=20)] = Field(
        default=3,
        description="How often it may hold the candidate before one step; when it still objects, a person is asked.",
    )
    hold_for: Duration = Field(
        default="10m",
        validate_default=True,
        description="How long one hold lasts; then it is asked again.",
    )
    may_rollback: bool = Field(default=False, description="Whether its word alone takes the candidate out.")
    minimum_confidence: Percent = Field(
        default="70%",
        validate_default=True,
        description="A rollback needs an opinion at least this sure; one that is less sure holds.",
    )
    timeout: Annotated[Duration, AfterValidator(_bounded)] = Field(
        default="20s", validate_default=True, description="No answer by then is no opinion; at most 2m."
    )
    daily_tokens: Annotated[int, Field(ge=1, le=1_000_000_000)] = Field(
        default=100_000,
        description="Tokens this Rollout may use in one day (UTC); after that there is no opinion until the next.",
    )


class AdviceStatus(StatusModel):
    """The last opinion about the candidate's next step, so that a restart neither asks twice nor forgets a hold."""

    step: Annotated[int, Field(ge=0)] = Field(description="Index of the step it is about.")
    share: ShareBps = Field(description="The share at that step, in basis points.")
    outcome: AdviceOutcome = Field(description="What the advisor said, or why it said nothing.")
    confidence: ShareBps = Field(default=0, description="How sure it is, in basis points.")
    reason: Annotated[str, Field(max_length=1024)] = Field(default="", description="Why, in its own words.")
    evidence: Annotated[tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=EVIDENCE)] = (
        Field(default=(), description="What it points at, in its own words.")
    )
    at: Time = Field(description="When it answered.")
    holds: Annotated[int, Field(ge=0)] = Field(
        default=0, description="How often it has spoken against this step."
    )
    overruled: bool = Field(
        default=False, description="A person resumed, and it is not asked again about this step."
    )


class AdvisorUsage(StatusModel):
    """What the advisor has cost on one day."""

    day: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", max_length=10)] = Field(
        description="The day, in UTC."
    )
    tokens: Annotated[int, Field(ge=0)] = Field(description="Tokens of its answers on that day.")
    at: Time = Field(description="The last answer that is counted.")
