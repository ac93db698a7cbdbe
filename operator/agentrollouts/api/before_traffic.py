"""What a candidate must prove before it gets any traffic: an ordered list, each entry run as a Job against its own Service."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema

from agentrollouts.api.base import Rule, SpecModel, StatusModel, only_member, refusal, rules
from agentrollouts.api.scalars import Digest, Duration, Percent, Time

LONGEST = timedelta(hours=24)
"""The longest an entry may take: until then its candidate waits."""
MOST = 8
"""Entries of one Rollout."""
MESSAGE_BYTES = 4096
"""What a kubelet keeps of a termination message."""
PROOF_KINDS = ("eval",)
"""Names on the wire of the kinds an entry may be."""

_PATH = r"^/[A-Za-z0-9._~/-]*$"
_OBJECT = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

ProofName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        max_length=40,
        json_schema_extra=refusal(
            "write a name of lower-case letters, digits and dashes, no dash first or last, such as golden"
        ),
    ),
]
ObjectName = Annotated[
    str,
    Field(
        pattern=_OBJECT,
        max_length=253,
        json_schema_extra=refusal(
            "write an object's name: lower-case letters, digits, dots and dashes, such as support-evals"
        ),
    ),
]
ConfigKey = Annotated[
    str,
    Field(
        pattern=r"^[-._a-zA-Z0-9]*[a-zA-Z0-9]$",
        max_length=253,
        json_schema_extra=refusal(
            "write a ConfigMap's key: letters, digits, dots and dashes, such as golden.yaml"
        ),
    ),
]
HttpPath = Annotated[
    str,
    Field(
        pattern=_PATH,
        max_length=256,
        json_schema_extra=refusal("write a path that begins with a slash, such as /v1/tasks"),
    ),
]
ScorerName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$",
        max_length=256,
        json_schema_extra=refusal("write module:Class, such as shop.scorers:Polite"),
    ),
]
Quantities = Annotated[
    dict[str, str | int],
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 8,
            "additionalProperties": {
                "x-kubernetes-int-or-string": True,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
                "maxLength": 32,
            },
        }
    ),
]


class ConfigMapKey(SpecModel):
    """One key of a ConfigMap in the Rollout's namespace."""

    config_map: ObjectName = Field(description="The ConfigMap's name, in the Rollout's namespace.")
    key: ConfigKey = Field(description="The key whose value is read.")


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


class Resources(SpecModel):
    """What the Job's container asks for and may use, as in a Pod."""

    requests: Quantities = Field(default_factory=dict, description="Quantities by resource.")
    limits: Quantities = Field(default_factory=dict, description="Quantities by resource.")


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


def _bounded(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= LONGEST:
        raise ValueError(f"expected more than 0s and at most 24h; got {value.total_seconds():g} s")
    return value


_count = " + ".join(f"(has(self.{kind}) ? 1 : 0)" for kind in PROOF_KINDS)


class ProofSpec(SpecModel):
    """One entry: a name, how long it may take, and exactly one kind."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(f"{_count} == 1", f"give exactly one kind of proof: {', '.join(PROOF_KINDS)}"),
            Rule(
                "!has(self.timeout) || (duration(self.timeout) > duration('0s')"
                " && duration(self.timeout) <= duration('24h'))",
                "write a timeout of more than 0s and at most 24h",
                ".timeout",
            ),
        )
    )

    name: ProofName = Field(description="The entry's name, unique in this Rollout.")
    timeout: Annotated[Duration, AfterValidator(_bounded)] = Field(
        default="30m",
        validate_default=True,
        description="Without a verdict by then there is none; at most 24h.",
    )
    on_invalid: Literal["Hold", "Rollback"] = Field(
        default="Hold",
        description="What happens without a verdict. Hold: the candidate waits, without traffic, for a person's retry.",
    )
    eval: EvalSpec | None = None

    @cached_property
    def member(self) -> tuple[str, SpecModel]:
        """Kind and spec of the one member that is set. Raises ValueError when there isn't exactly one."""
        return only_member(self, PROOF_KINDS, whose=f"beforeTraffic entry {self.name!r}")


BeforeTraffic = Annotated[
    tuple[ProofSpec, ...],
    Field(
        max_length=MOST,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    ),
]

Verdict = Literal["PASS", "FAIL", "INVALID"]
Score = Annotated[str, Field(max_length=16, pattern=r"^([01]|0\.[0-9]{1,12}|1\.0{1,12})?$")]
Sentence = Annotated[str, Field(max_length=1024)]


class ProofNumbers(StatusModel):
    """What a verdict goes by. Scores are decimals as text, from 0 to 1."""

    message: Sentence = Field(default="", description="Why, with the numbers.")
    score: Score = Field(default="", description="The candidate's mean score, 0 to 1.")
    baseline_score: Score = Field(default="", description="The baseline's, on the cases both have.")
    cases: Annotated[int, Field(ge=0)] = Field(default=0, description="Cases of the candidate.")
    repeats: Annotated[int, Field(ge=0)] = Field(default=0, description="How often each was done.")
    errors: Annotated[int, Field(ge=0)] = Field(default=0, description="Cases in which something broke.")
    flaky: Annotated[int, Field(ge=0)] = Field(default=0, description="Cases whose repeats disagree.")
    dataset_digest: Digest | None = Field(default=None, description="SHA-256 of the dataset's text.")
    statement_digest: Digest | None = Field(
        default=None, description="SHA-256 of the in-toto statement that stands in the Job's log."
    )


class ProofSummary(ProofNumbers):
    """What a Job says at its end, in at most :data:`MESSAGE_BYTES` of JSON in its container's termination message."""

    verdict: Verdict = Field(description="FAIL: the candidate isn't good enough; INVALID: nobody can say.")


class ProofStatus(ProofNumbers):
    """How an entry of spec.beforeTraffic stands for the present candidate. One that passed isn't run again."""

    name: Annotated[str, Field(max_length=63)] = Field(description="The entry's name in spec.beforeTraffic.")
    kind: Annotated[str, Field(max_length=32)] = Field(description="The entry's kind.")
    terms: Annotated[str, Field(max_length=16)] = Field(
        description="A hash of the entry as it was run; another one must be proven anew."
    )
    verdict: Literal["PENDING", "PASS", "FAIL", "INVALID"] = Field(
        description="PENDING: its Job is under way; INVALID: it came to no verdict."
    )
    job: Annotated[str, Field(max_length=63)] = Field(default="", description="Its Job's name.")
    started_at: Time | None = Field(default=None, description="When it was begun.")
    finished_at: Time | None = Field(default=None, description="When it came to its verdict.")
