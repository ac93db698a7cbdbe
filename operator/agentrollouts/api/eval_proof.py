"""The kind ``eval`` of ``spec.beforeTraffic``: a dataset that is run against the candidate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, refusal, rules
from agentrollouts.api.proof_parts import ConfigKey, ConfigMapKey, HttpPath, ObjectName, Resources
from agentrollouts.api.scalars import Duration, Percent

ScorerName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$",
        max_length=256,
        json_schema_extra=refusal("write module:Class, such as shop.scorers:Polite"),
    ),
]


class BaselineSpec(SpecModel):
    """What the candidate's score is held against: the stable version, evaluated beside it, or results that are kept."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "(has(self.stable) && self.stable) != has(self.configMap) && has(self.configMap) == has(self.key)",
                "give either stable: true or configMap and key",
            )
        )
    )

    stable: bool = Field(
        default=False,
        description="true: the stable version is evaluated in the same Job, at the same time.",
    )
    config_map: ObjectName | None = Field(
        default=None, description="The ConfigMap with results that `agentrollout eval run` wrote."
    )
    key: ConfigKey | None = Field(default=None, description="The key whose value they are.")


class EvalSpec(SpecModel):
    """A dataset that is run against the candidate, and the gate over what comes of it."""

    dataset: ConfigMapKey = Field(description="The dataset, as `agentrollout eval run` reads it.")
    minimum_score: Percent = Field(
        description="The least score, such as 80%, which is 0.8; exactly that passes."
    )
    repeat: Annotated[int, Field(ge=1, le=20)] = Field(
        default=1,
        description="How often each case is done; from 2 on a loss that may be noise is told from one that isn't.",
    )
    baseline: BaselineSpec | None = None
    maximum_regression: Percent = Field(
        default="5%",
        validate_default=True,
        description="The most that may be lost against the baseline, in points of the score; exactly that passes.",
    )
    on_unclear: Literal["Fail", "Pass"] = Field(
        default="Fail", description="What a loss counts as that may be noise."
    )
    path: HttpPath = Field(default="/", description="Where the agent takes a task by POST.")
    answer: Annotated[str, Field(max_length=128)] = Field(
        default="", description="Which field of the JSON it answers is scored; all of it where absent."
    )
    concurrency: Annotated[int, Field(ge=1, le=64)] = Field(
        default=4, description="Tasks in flight at once, for each version."
    )
    task_timeout: Duration = Field(
        default="60s", validate_default=True, description="An answer that takes longer scores 0."
    )
    scorers: Annotated[tuple[ScorerName, ...], Field(max_length=16)] = Field(
        default=(),
        description="Classes of the image that the dataset may name as scorers, each as module:Class.",
    )
    image: Annotated[str, Field(max_length=512)] = Field(
        default="",
        description="The image that evaluates, for scorers of your own; the command line's where absent.",
    )
    service_account_name: ObjectName | None = Field(
        default=None, description="The Job's service account, whose token it gets; without one it gets none."
    )
    resources: Resources = Field(default_factory=Resources)
