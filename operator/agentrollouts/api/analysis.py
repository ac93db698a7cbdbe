"""spec.analysis: when evidence is enough, what it is held against, and what happens when there is none.

What a preset may fill has no default in the schema: the API server would fill it in, and the preset could never speak.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, rules
from agentrollouts.api.breakers import BreakerSpec
from agentrollouts.api.checks import CheckSpec
from agentrollouts.api.presets import PRESETS, Effective, Mode, PresetName
from agentrollouts.api.scalars import Duration, Percent, percent_in_cel

T = TypeVar("T")
_AT_LEAST_A_SECOND = rules(Rule("!self.matches('^[0hms]+$')", "write at least 1s"))
_BY_NAME = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}


def _risk(field: str) -> Rule:
    value = percent_in_cel(f"self.{field}")
    return Rule(
        f"!has(self.{field}) || {value} >= 10 && {value} <= 5000",
        f"{field} must be from 0.1% to 50%",
        f".{field}",
    )


class ErrorBudget(SpecModel):
    """How often a decision may be wrong; spent by the sequential mode over the whole rollout."""

    model_config = ConfigDict(json_schema_extra=rules(_risk("falseRollback"), _risk("falsePromotion")))

    false_rollback: Percent | None = Field(
        default=None, description="Of candidates that are no worse, this part may be rolled back."
    )
    false_promotion: Percent | None = Field(
        default=None, description="Of candidates worse by the margin, this part may be promoted."
    )


class Failures(SpecModel):
    """When failed looks of the quality gate add up to a rollback; in threshold mode."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("has(self.atLeast) == has(self.outOf)", "give atLeast and outOf together, or neither"),
            Rule(
                "!has(self.atLeast) || !has(self.outOf) || self.atLeast <= self.outOf",
                "atLeast must be at most outOf, or it would never be reached",
                ".atLeast",
            ),
        )
    )

    every: Duration | None = Field(
        default=None,
        json_schema_extra=_AT_LEAST_A_SECOND,
        description="At most this often does a look count; at least 1s.",
    )
    consecutive: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="So many failed looks in a row roll back."
    )
    at_least: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="So many failed looks of the last outOf roll back."
    )
    out_of: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="How many looks atLeast is counted in."
    )


class Analysis(SpecModel):
    """How the candidate is judged. The preset fills in what isn't given."""

    preset: PresetName = Field(
        default="default",
        description="default; strict: surer of each promotion; lowTraffic: content with less evidence and more patient;"
        " seed: fixed limits on errors, latency, tools, refusals, similarity and toxicity.",
    )
    mode: Mode | None = Field(
        default=None,
        description="sequential: statistics over sessions that may be looked at any time, within the error budget;"
        " threshold: a quality gate, the weighted score of the checks. The preset's where absent.",
    )
    error_budget: ErrorBudget = Field(default_factory=ErrorBudget)
    margin: Percent | None = Field(
        default=None,
        description="How many points of success the candidate may lose and still be as good. 5% where absent; 3% of"
        " strict, 10% of lowTraffic.",
    )
    interval: Duration = Field(
        default="2s",
        validate_default=True,
        json_schema_extra=_AT_LEAST_A_SECOND,
        description="How often the evidence is looked at; at least 1s. Every second while a check is a third of the way"
        " to a failure.",
    )
    minimum_sessions: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None,
        description="Closed sessions of the candidate before a check speaks; in threshold mode, finished tasks for checks"
        " that count tasks. 20 where absent; 100 of strict, 10 of lowTraffic.",
    )
    window: Duration = Field(
        default="0s",
        validate_default=True,
        description="Judge only the evidence this far back, such as 6h; 0s judges everything since the candidate started.",
    )
    failures: Failures = Field(default_factory=Failures)
    checks: Annotated[tuple[CheckSpec, ...], Field(max_length=32, json_schema_extra=_BY_NAME)] = Field(
        default=(),
        description="The checks, instead of the preset's: success, cost, latency and tool failures with their defaults.",
    )
    breakers: Annotated[tuple[BreakerSpec, ...], Field(max_length=16, json_schema_extra=_BY_NAME)] = Field(
        default=(),
        description="Fixed limits on the candidate alone that act at once, in every mode and strategy. A breaker is no"
        " comparison and spends no error budget.",
    )
    no_evidence_deadline: Duration | None = Field(
        default=None,
        description="How long a candidate that has traffic may go without usable evidence. 1h where absent; 24h of"
        " lowTraffic.",
    )
    on_no_evidence: Literal["Hold", "Pause", "Rollback"] = Field(
        default="Pause",
        description="What happens at that deadline: keep holding, pause until a person resumes, or roll back.",
    )

    @cached_property
    def effective(self) -> Effective:
        """What applies: the preset, and on top of it what the user wrote."""
        below = PRESETS[self.preset]
        budget, rule = self.error_budget, self.failures
        return Effective(
            mode=_either(self.mode, below.mode),
            false_rollback=_either(budget.false_rollback, below.false_rollback),
            false_promotion=_either(budget.false_promotion, below.false_promotion),
            margin=_either(self.margin, below.margin),
            minimum_sessions=_either(self.minimum_sessions, below.minimum_sessions),
            every=_either(rule.every, below.every),
            consecutive=_either(rule.consecutive, below.consecutive),
            at_least=_either(rule.at_least, below.at_least),
            out_of=_either(rule.out_of, below.out_of),
            no_evidence_deadline=_either(self.no_evidence_deadline, below.no_evidence_deadline),
            checks=self.checks or below.checks,
            breakers=self.breakers or below.breakers,
        )


def _either(given: T | None, below: T) -> T:
    return below if given is None else given
