"""spec.monitor: how the stable version is watched while nothing is rolled out, and what the status keeps of it.

Percentages are basis points inside. The words are those of the checks, for the same things are looked at.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, StatusModel, rules
from agentrollouts.api.scalars import Duration, Growth, Percent, ShareBps, Text, Time, percent_in_cel

WatchedEvent = Literal["refusal", "escalation", "thumbsDown", "regenerate", "takeover"]
Signal = Literal[
    "toolMix",
    "topicMix",
    "responseLength",
    WatchedEvent,
]
"""What is compared: a mix, a mean, or the rate of an event."""


def _at_least_a_percent(field: str) -> Rule:
    return Rule(
        f"!has(self.{field}) || {percent_in_cel(f'self.{field}')} >= 100",
        f"{field} must be at least 1%",
        f".{field}",
    )


class MonitorSpec(SpecModel):
    """How the version that serves is compared with what it did when it was accepted. It says so and never moves traffic."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *map(_at_least_a_percent, ("toolMix", "topicMix", "responseLength", "events")),
            Rule(
                "!has(self.window) || !has(self.interval) || duration(self.window) >= duration(self.interval)",
                "window must be at least interval, or sessions would fall between two looks",
                ".window",
            ),
        )
    )

    enabled: bool = Field(default=True, description="Whether the stable version is watched between rollouts.")
    interval: Duration = Field(
        default="5m",
        validate_default=True,
        json_schema_extra=rules(Rule("duration(self) >= duration('1m')", "write at least 1m")),
        description="How often it is looked at; at least 1m.",
    )
    window: Duration = Field(
        default="24h",
        validate_default=True,
        json_schema_extra=rules(
            Rule(
                "duration(self) >= duration('10m') && duration(self) <= duration('168h')",
                "write a window from 10m to 168h",
            )
        ),
        description="How far back a look goes. A whole day has all times of day, as most profiles have.",
    )
    minimum_sessions: Annotated[int, Field(ge=20, le=1_000_000)] = Field(
        default=200,
        description="Closed sessions before a profile is taken, and in the window before anything is said.",
    )
    tool_mix: Percent = Field(
        default="15%",
        validate_default=True,
        description="What part of the tool calls may go to another tool (total variation distance).",
    )
    topic_mix: Percent = Field(
        default="15%",
        validate_default=True,
        description="What part of the tasks may be about another topic (total variation distance).",
    )
    response_length: Growth = Field(
        default="30%",
        validate_default=True,
        description="How much longer or shorter the mean answer may become.",
    )
    events: Percent = Field(
        default="5%",
        validate_default=True,
        description="How many points more or less often tasks may be refused or escalated, disliked, asked again or taken over.",
    )


Parts = Annotated[dict[str, ShareBps], Field(max_length=66)]
"""Name to basis points: 64 names, and `other` and `none`."""


class LengthProfile(StatusModel):
    """How long the answers were, as parts of the agent's own cap."""

    sessions: Annotated[int, Field(ge=0)] = Field(description="Closed sessions with an answer.")
    mean: Annotated[float, Field(ge=0, le=1)] = Field(description="Mean of the sessions' means.")
    squares: Annotated[float, Field(ge=0, le=1)] = Field(description="Mean of their squares.")


class ProfileStatus(StatusModel):
    """What the stable version did when it was accepted. Written once; what nobody reported isn't in it."""

    at: Time = Field(description="When it was taken.")
    sessions: Annotated[int, Field(ge=0)] = Field(description="Closed sessions it was taken from.")
    tools: Parts | None = Field(default=None, description="Parts of the tool calls by tool, in basis points.")
    topics: Parts | None = Field(default=None, description="Parts of the tasks by topic, in basis points.")
    response_length: LengthProfile | None = None
    events: Annotated[dict[str, ShareBps], Field(max_length=16)] = Field(
        default_factory=dict, description="Parts of the tasks in which each event happened, in basis points."
    )


class DriftStatus(StatusModel):
    """Something the stable version does otherwise than when it was accepted."""

    signal: Signal = Field(description="What changed.")
    since: Time = Field(description="When that was first said.")
    message: Text = Field(default="", description="What was and what is, with the numbers of that look.")
