"""AgentVersion: one immutable release of one agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, StatusModel, rules
from agentrollouts.api.conditions import Conditions
from agentrollouts.api.podtemplate import POD_TEMPLATE
from agentrollouts.api.scalars import AgentName, Digest, Name, Semver, ShareBps, Text, Usd

Label = Annotated[str, Field(max_length=256)]


class Code(SpecModel):
    """The program: the image that runs, pinned by digest."""

    digest: Digest = Field(description="Digest of the container image.")
    image: Label = Field(default="", description="The image's name, for people.")


class ModelStep(SpecModel):
    """The model of one step of an agent that uses several."""

    step: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="The step, as the agent's code names it."
    )
    provider: Label = Field(default="", description="Who serves the model.")
    name: Label = Field(default="", description="The model's name.")
    snapshot: Label = Field(default="", description="The pinned snapshot of the model.")


class Model(SpecModel):
    """The language model: provider, name, pinned snapshot and parameters; or, where there are several, the one of each step."""

    digest: Digest = Field(description="Digest of the canonical JSON of this part.")
    provider: Label = Field(default="", description="Who serves the model.")
    name: Label = Field(default="", description="The model's name.")
    snapshot: Label = Field(default="", description="The pinned snapshot of the model.")
    parameters: Annotated[
        dict[str, Label],
        Field(
            max_length=32,
            json_schema_extra=rules(
                Rule("self.all(name, name.size() <= 64)", "a parameter's name may have at most 64 characters")
            ),
        ),
    ] = Field(
        default_factory=dict,
        description="Sampling and budget parameters by name, each value written as a string.",
    )
    steps: Annotated[tuple[ModelStep, ...], Field(max_length=32)] = Field(
        default=(), description="Which model each step uses, for an agent that uses several."
    )


class Prompts(SpecModel):
    """The prompts, by digest of their canonical JSON."""

    digest: Digest = Field(description="Digest of the prompts.")
    source: Label = Field(default="", description="Where the prompts are kept.")


class Tools(SpecModel):
    """The tool manifest with the permissions of each tool."""

    digest: Digest = Field(description="Digest of the tool manifest.")
    names: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=64)] = Field(
        default=(), description="Names of the tools the agent may call."
    )


class Data(SpecModel):
    """The data the agent answers from, such as the build of a search index."""

    digest: Digest = Field(description="Digest of the data build.")
    source: Label = Field(default="", description="Where the data build is kept.")


class Release(SpecModel):
    """The five parts of a release. Change one byte of any part and it is another release."""

    code: Code
    model: Model
    prompts: Prompts
    tools: Tools
    data: Data


class DeploymentRef(SpecModel):
    """A Deployment in the same namespace that the user owns; the operator reads it and never changes it."""

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(description="Name of the Deployment.")


class Lineage(SpecModel):
    """Where a version comes from, for the person who approves it."""

    parent: Semver | None = Field(default=None, description="The version this one was made from.")
    proposed_by: Label = Field(
        default="",
        description="User name of the person or service account that proposed it, as the API server knows it.",
    )
    author: Literal["Person", "Agent"] = Field(
        default="Person",
        description="Who wrote the change. A version written by an agent needs approval before it serves a majority.",
    )
    rationale: Text = Field(default="", description="Why this version should be better.")
    cost_usd: Usd | None = Field(default=None, description="What writing it cost, in US dollars.")
    evidence: Annotated[tuple[Label, ...], Field(max_length=16)] = Field(
        default=(), description="What its author tried it on before proposing it, with the numbers."
    )


class AgentVersionSpec(SpecModel):
    """One release of one agent. Everything but replicas is immutable: to change it, make a new version."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "has(self.template) != has(self.deploymentRef)",
                "give exactly one of template (the operator makes the Deployment) and deploymentRef (you own it)",
            ),
        )
    )

    agent: AgentName = Field(description="The logical name callers use.")
    version: Semver = Field(description="Semantic version, unique for the agent, such as 1.2.0.")
    release: Release
    template: dict[str, Any] | None = Field(
        default=None,
        description="Pod template of the agent, as in a Deployment. One container has a port named http, where the"
        " agent listens; a port named metrics is where it reports its outcomes.",
        json_schema_extra=POD_TEMPLATE,
    )
    deployment_ref: DeploymentRef | None = Field(
        default=None,
        description="A Deployment of yours, in the same namespace, to use instead of a template.",
    )
    replicas: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=1, description="Pods while the version serves or stays warm; the only part that may change."
    )
    lineage: Lineage = Field(default_factory=Lineage)


VersionPhase = Literal["Draft", "Candidate", "Stable", "Retired"]


class AgentVersionStatus(StatusModel):
    """What the operator last saw of the version."""

    observed_generation: Annotated[int, Field(ge=0)] = Field(
        default=0, description="The metadata.generation this status is about."
    )
    phase: VersionPhase = Field(
        default="Draft",
        description="Draft: not in use yet; Candidate: earning traffic; Stable: serving; Retired: no longer in use.",
    )
    artifact_digest: Annotated[str, Field(max_length=71)] = Field(
        default="", description="Digest over the five parts of the release: what an approval is for."
    )
    health: Literal["Unknown", "Healthy", "Unhealthy"] = Field(
        default="Unknown", description="Whether the pods run as they should."
    )
    replicas: Annotated[int, Field(ge=0)] = Field(default=0, description="Pods there are.")
    ready_replicas: Annotated[int, Field(ge=0)] = Field(default=0, description="Pods that are ready.")
    selector: Annotated[str, Field(max_length=256)] = Field(
        default="", description="Label selector of the pods, for the scale subresource."
    )
    share: ShareBps = Field(default=0, description="Current share in basis points, all cohorts together.")
    service: Name = Field(default="", description="The Service in front of this version's pods.")
    conditions: Conditions = ()
