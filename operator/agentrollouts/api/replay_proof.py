"""The kind ``replay`` of ``spec.beforeTraffic``: recorded tasks that candidate and stable version do again without an effect."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.advisor import Url
from agentrollouts.api.base import Rule, SpecModel, refusal, rules
from agentrollouts.api.proof_parts import ConfigKey, HttpPath, ObjectName, Resources
from agentrollouts.api.scalars import Duration, Percent

JsonPath = Annotated[
    str,
    Field(
        pattern=r"^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)?$",
        max_length=128,
        json_schema_extra=refusal(
            "write names and numbers with dots between them, such as label or choices.0.message.content"
        ),
    ),
]
LedgerUrl = Annotated[
    str,
    Field(
        pattern=r"^(https?://[A-Za-z0-9.:_\[\]-]+(/[A-Za-z0-9._/-]*)?)?$",
        max_length=512,
        json_schema_extra=refusal("write a URL such as http://ledger.agent-rollouts:8090"),
    ),
]


class LedgerRecords(SpecModel):
    """The task ledger, and the token with which this Rollout's tasks may be read there."""

    url: LedgerUrl = Field(default="", description="Its address; the operator's own ledger where absent.")
    secret: ObjectName | None = Field(
        default=None,
        description="The Secret with a reader's token, in the Rollout's namespace; without one no token is shown.",
    )
    key: ConfigKey = Field(default="reader", description="The Secret's entry.")


class RecordsSpec(SpecModel):
    """Where recorded tasks come from: the ledger, or JSON lines in a ConfigMap, as `agentrollout tasks` prints them."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.ledger) != has(self.configMap) && has(self.configMap) == has(self.key)",
                "give either ledger or configMap and key",
            )
        )
    )

    ledger: LedgerRecords | None = None
    config_map: ObjectName | None = Field(
        default=None, description="The ConfigMap, in the Rollout's namespace."
    )
    key: ConfigKey | None = Field(default=None, description="The key whose value is the tasks.")


class EmbeddingSpec(SpecModel):
    """Whose embeddings answers are compared by. The Job sends the texts of answers there; the operator asks nobody."""

    url: Annotated[Url, Field(min_length=1)] = Field(
        description="An endpoint that speaks OpenAI's embeddings, up to and including /v1. The texts of answers leave for it."
    )
    model: Annotated[str, Field(min_length=1, max_length=128)] = Field(
        description="The model's name, as the endpoint knows it."
    )
    secret: ObjectName | None = Field(
        default=None,
        description="The Secret with the endpoint's key, in the Rollout's namespace; without one no key is sent.",
    )
    key: ConfigKey = Field(default="key", description="The Secret's entry.")


class JournalSpec(SpecModel):
    """Where the replay keeps what is finished, so that its next pod goes on when one is lost."""

    claim: ObjectName = Field(
        description="A PersistentVolumeClaim that is there already, in the Rollout's namespace. Several replays may share it."
    )


class ReplaySpec(SpecModel):
    """Recorded tasks that both versions do again, their tools answered from the record, and how many decisions may change."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "(has(self.compare) && self.compare == 'Embedding') == has(self.embedding)",
                "give embedding with compare: Embedding, and only then",
            )
        )
    )

    source: RecordsSpec = Field(alias="from", description="Where the recorded tasks come from.")
    outcome: Literal["Any", "Success"] = Field(
        default="Any",
        description="Which of them. Success: those that users met as successes, whose decisions should stay; an"
        " improvement may change the others.",
    )
    recorded_by: Literal["Any", "Stable"] = Field(
        default="Any", description="Stable: only tasks that the stable version did."
    )
    tasks: Annotated[int, Field(ge=1, le=10_000)] = Field(default=200, description="How many are done again.")
    maximum_disagreement: Percent = Field(
        default="5%",
        validate_default=True,
        description="The most decisions that may change beyond those that the stable version changes itself.",
    )
    maximum_noise: Percent = Field(
        default="50%",
        validate_default=True,
        description="The most that the stable version may change itself; beyond that nothing can be told.",
    )
    compare: Literal["Exact", "Structured", "Text", "Embedding"] = Field(
        default="Exact",
        description="By what two answers are compared: values, JSON, or texts that are alike, by their letters or by"
        " their meaning.",
    )
    threshold: Percent | None = Field(
        default=None,
        description="Text, Embedding: from which similarity on; 85% and 90% where absent.",
    )
    embedding: EmbeddingSpec | None = Field(default=None, description="Embedding: by whose.")
    answer: JsonPath = Field(
        default="", description="What of an answer is compared, such as label; all of it where absent."
    )
    ignore: Annotated[tuple[JsonPath, ...], Field(max_length=16)] = Field(
        default=(), description="Structured: paths that don't count."
    )
    tools: Literal["Effects", "All", "None"] = Field(
        default="Effects",
        description="Whose calls belong to a decision: those of tools that aren't marked as safe, all, or none.",
    )
    input: JsonPath = Field(
        default="input", description="The field of the body for an input that is no object."
    )
    journal: JournalSpec | None = Field(
        default=None,
        description="Where it keeps what is finished; where absent, the pod does, and a pod that is lost begins anew.",
    )
    path: HttpPath = Field(default="/", description="Where the agent takes a task by POST.")
    concurrency: Annotated[int, Field(ge=1, le=64)] = Field(default=4, description="Answers awaited at once.")
    task_timeout: Duration = Field(
        default="60s", validate_default=True, description="How long an answer may take."
    )
    image: Annotated[str, Field(max_length=512)] = Field(
        default="", description="The image that replays; the command line's where absent."
    )
    service_account_name: ObjectName | None = Field(
        default=None,
        description="The Job's service account, whose token it gets; without one it gets none. The versions' pods keep"
        " their own.",
    )
    resources: Resources = Field(default_factory=Resources)
