"""The kinds of checks that go by sessions: what each asks for. Percentages are basis points inside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from agentrollouts.api.base import SpecModel, refusal
from agentrollouts.api.check_kinds import tolerance_at_most
from agentrollouts.api.scalars import Growth, Percent

ScoreName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z_][a-zA-Z0-9_.-]*$",
        max_length=64,
        json_schema_extra=refusal(
            "write the score's name as the agent declares it: letters, digits, dots, dashes and underscores,"
            " such as toxicity"
        ),
    ),
]
Event = Literal[
    "refusal",
    "escalation",
    "intervention",
    "checkpoint",
    "destructiveRollback",
    "thumbsDown",
    "regenerate",
    "takeover",
]


class EventsSpec(SpecModel):
    """In what share of a session's tasks something happened, against the old version's sessions."""

    model_config = tolerance_at_most("maxIncrease")

    event: Event = Field(description="What is counted; at most once a task.")
    tolerance: Percent = Field(
        default="1%",
        validate_default=True,
        description="How many points more often it may happen without anything held against it.",
    )
    max_increase: Percent = Field(
        default="5%", validate_default=True, description="How many points more often it may happen."
    )
    max: Percent | None = Field(
        default=None, description="The highest acceptable share, whatever the old version has."
    )


OnDrift = Literal["Warn", "Rollback"]


def _on_drift() -> Any:
    return Field(
        default="Warn",
        description="Warn holds the candidate back; Rollback takes it out once that is beyond doubt, in sequential mode.",
    )


class ToolMixSpec(SpecModel):
    """How far the mix of tools moved from the old version's; new tools count. It warns and never fails."""

    tolerance: Percent = Field(
        default="5%",
        validate_default=True,
        description="What part of the tool calls may have gone to another tool (total variation distance).",
    )
    on_drift: OnDrift = _on_drift()


class TopicMixSpec(SpecModel):
    """How far what the tasks are about moved from the old version's, by the topics the agent names. It warns and never fails."""

    tolerance: Percent = Field(
        default="5%",
        validate_default=True,
        description="What part of the tasks may have gone to another topic (total variation distance).",
    )
    on_drift: OnDrift = _on_drift()


class ResponseLengthSpec(SpecModel):
    """The mean length of the candidate's answers against the old version's, session by session. It warns and never fails."""

    model_config = tolerance_at_most("maxChange")

    tolerance: Growth = Field(
        default="10%",
        validate_default=True,
        description="How much longer or shorter answers may become without anything held against it.",
    )
    max_change: Growth = Field(
        default="30%",
        validate_default=True,
        description="How much longer or shorter answers may become; from 100% on, only longer ones are a change.",
    )
    on_drift: OnDrift = _on_drift()


class LlmCallsSpec(SpecModel):
    """The candidate's mean number of model calls a task against the old version's, session by session."""

    model_config = tolerance_at_most("maxIncrease")

    tolerance: Growth = Field(
        default="10%",
        validate_default=True,
        description="How many more calls are made without anything held against it.",
    )
    max_increase: Growth = Field(
        default="30%", validate_default=True, description="How many more calls there may be."
    )


class ScoreSpec(SpecModel):
    """The mean of a score that the agent reports, between 0 and 1, against the old version's. 10% stands for 0.1."""

    model_config = tolerance_at_most("maxChange")

    name: ScoreName = Field(description="The score's name as the agent reports it, such as toxicity.")
    better: Literal["higher", "lower"] = Field(description="Which way is better.")
    tolerance: Percent = Field(
        default="1%",
        validate_default=True,
        description="How many points worse it may be without anything held against it.",
    )
    max_change: Percent = Field(
        default="5%", validate_default=True, description="How many points worse it may be."
    )
    limit: Percent | None = Field(
        default=None, description="The worst acceptable mean, whatever the old version has."
    )
