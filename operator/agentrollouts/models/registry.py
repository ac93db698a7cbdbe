"""The registry: one document that names the model of each step of each agent, and documents that override single steps.

::

    defaults: {provider: openai, parameters: {temperature: "0.2"}}
    agents:
      support:
        steps:
          triage: {name: small, snapshot: 2026-05-01}
          answer: {name: large, snapshot: 2026-05-01, parameters: {temperature: null}}

It is a file in git, or a ConfigMap with the same text under ``models.yaml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agentrollouts.api.scalars import AgentName
from agentrollouts.models.errors import ModelsError
from agentrollouts.release.canonical import canonical
from agentrollouts.release.documents import Named, StepName, sentences
from agentrollouts.release.yaml_reading import YamlError, read_yaml

KEY = "models.yaml"
"""The registry's key in a ConfigMap. Every other key that ends in ``.yaml`` is an override, in the order of their names."""


def _text(value: object) -> object:
    """NB: YAML reads 20250514 as a number, and 0613 as the number 395."""
    if not isinstance(value, int):
        return value
    raise ValueError(f'expected a text; got the number {value}: write it in quotes, such as "2026-05-01"')


def _exact(value: object) -> object:
    if isinstance(value, dict):
        canonical(value)
    return value


Words = Annotated[Named, BeforeValidator(_text)]
Value = bool | int | Annotated[str, Field(max_length=256)]
Parameters = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Value | None], BeforeValidator(_exact)
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Defaults(_Part):
    """What steps have in common. No name and no snapshot: which model a step uses is said with the step."""

    provider: Words | None = None
    parameters: Parameters = Field(default_factory=dict)


class Step(_Part):
    """The model of one step, or what an override changes about it. A parameter that is null isn't sent at all."""

    provider: Words | None = None
    name: Words | None = None
    snapshot: Words | None = None
    parameters: Parameters = Field(default_factory=dict)


Steps = Annotated[dict[StepName, Step], Field(min_length=1, max_length=32)]


class Agent(_Part):
    """The steps of one agent."""

    defaults: Defaults = Field(default_factory=Defaults)
    steps: Steps


class Registry(_Part):
    """The base document."""

    defaults: Defaults = Field(default_factory=Defaults)
    agents: dict[AgentName, Agent]


class OverriddenAgent(_Part):
    """Single steps of one agent, and nothing that many steps share: who reads an override sees all that it changes."""

    steps: Steps


class Override(_Part):
    """A document that goes before the base."""

    agents: dict[AgentName, OverriddenAgent]


@dataclass(frozen=True, slots=True)
class Source:
    """One document with the name of where it was read."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Models:
    """The base and its overrides; a later override goes before an earlier one."""

    source: Source
    registry: Registry
    overrides: tuple[tuple[Source, Override], ...] = ()


M = TypeVar("M", bound=BaseModel)


def read_models(base: Source, overrides: tuple[Source, ...] = ()) -> Models:
    """The registry in these texts, either of which may be a ConfigMap's manifest. Raises ModelsError."""
    inner, *more = _unpacked(base)
    registry = _read(Registry, inner)
    found = Models(
        inner, registry, tuple((source, _read(Override, source)) for source in (*more, *overrides))
    )
    problems = [
        problem for source, override in found.overrides for problem in _unknown(found, source, override)
    ]
    if problems:
        raise ModelsError("\n".join(problems))
    return found


def _unpacked(source: Source) -> list[Source]:
    """The documents in a ConfigMap; a text that is none, by itself."""
    value = _yaml(source)
    if not isinstance(value, Mapping) or value.get("kind") != "ConfigMap":
        return [source]
    data = value.get("data") or {}
    if KEY not in data:
        names = ", ".join(sorted(map(str, data))) or "none"
        raise ModelsError(f"{source.name}: expected a ConfigMap with the key {KEY}; got {names}")
    keys = [KEY, *sorted(key for key in data if key != KEY and key.endswith(".yaml"))]
    return [Source(f"{source.name}: {key}", str(data[key])) for key in keys]


def _read(kind: type[M], source: Source) -> M:
    value = _yaml(source)
    if not isinstance(value, Mapping):
        raise ModelsError(f"{source.name}: expected a mapping with agents; got {type(value).__name__}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise ModelsError("\n".join(f"{source.name}: {each}" for each in sentences(error))) from error


def _yaml(source: Source) -> Any:
    try:
        return read_yaml(source.text)
    except YamlError as error:
        raise ModelsError(f"{source.name}: {error}") from error


def _unknown(models: Models, source: Source, override: Override) -> list[str]:
    """An override of what isn't there would change nothing, and nobody would notice."""
    problems = []
    for name, agent in override.agents.items():
        known = models.registry.agents.get(name)
        if known is None:
            agents = ", ".join(sorted(models.registry.agents)) or "none"
            problems.append(
                f"{source.name}: agents.{name}: {models.source.name} has no such agent; it has {agents}"
            )
            continue
        problems += [
            f"{source.name}: agents.{name}.steps.{step}: {models.source.name} has no such step of {name};"
            f" it has {', '.join(sorted(known.steps))}"
            for step in agent.steps
            if step not in known.steps
        ]
    return problems
