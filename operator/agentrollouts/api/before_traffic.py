"""What a candidate must prove before it gets any traffic: an ordered list, each entry run as a Job."""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, StatusModel, only_member, refusal, rules
from agentrollouts.api.eval_proof import EvalSpec
from agentrollouts.api.proof_parts import SigningSpec
from agentrollouts.api.replay_proof import ReplaySpec
from agentrollouts.api.scalars import Digest, Duration, Time

LONGEST = timedelta(hours=24)
"""The longest an entry may take: until then its candidate waits."""
MOST = 8
"""Entries of one Rollout."""
MESSAGE_BYTES = 4096
"""What a kubelet keeps of a termination message."""
PROOF_KINDS = ("eval", "replay")
"""Names on the wire of the kinds an entry may be."""

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
    signing: SigningSpec | None = Field(
        default=None,
        description="With what the Job signs the statement of a PASS; without it the statement is unsigned.",
    )
    eval: EvalSpec | None = None
    replay: ReplaySpec | None = None

    @property
    def seconds(self) -> int:
        """The timeout as a Job's deadline: whole seconds, at least one."""
        return max(1, int(self.timeout.total_seconds()))

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
Excess = Annotated[str, Field(max_length=16, pattern=r"^(-?([01]|0\.[0-9]{1,12}|1\.0{1,12}))?$")]
Sentence = Annotated[str, Field(max_length=1024)]


class ProofNumbers(StatusModel):
    """What a verdict goes by. Scores are decimals as text, from 0 to 1."""

    message: Sentence = Field(default="", description="Why, with the numbers.")
    score: Score = Field(default="", description="The candidate's mean score, 0 to 1.")
    baseline_score: Score = Field(default="", description="The baseline's, on the cases both have.")
    cases: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Cases, or recorded tasks, of the candidate."
    )
    repeats: Annotated[int, Field(ge=0)] = Field(default=0, description="How often each was done.")
    errors: Annotated[int, Field(ge=0)] = Field(default=0, description="Cases in which something broke.")
    flaky: Annotated[int, Field(ge=0)] = Field(default=0, description="Cases whose repeats disagree.")
    changed: Annotated[int, Field(ge=0)] = Field(
        default=0, description="Tasks whose decision the candidate changed and the stable version didn't."
    )
    excess: Excess = Field(
        default="", description="Share of changed decisions beyond the stable version's own, -1 to 1."
    )
    excess_low: Excess = Field(default="", description="Lower end of its 95 % interval.")
    excess_high: Excess = Field(default="", description="Upper end of its 95 % interval.")
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
    progress: Annotated[str, Field(max_length=64)] = Field(
        default="", description="How far it has come, such as 120 of 400 answers."
    )
    started_at: Time | None = Field(default=None, description="When it was begun.")
    finished_at: Time | None = Field(default=None, description="When it came to its verdict.")
