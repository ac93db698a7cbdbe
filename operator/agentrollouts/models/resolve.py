"""What a step uses once all documents are taken together, and where each value comes from.

A later one of these goes before an earlier one: the registry's defaults, the agent's defaults, the step, then the overrides in the order
they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentrollouts.models.errors import ModelsError
from agentrollouts.models.pins import unpinned
from agentrollouts.models.registry import Agent, Defaults, Models, Step

PARAMETERS = "parameters."
FIELDS = ("provider", "name", "snapshot")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is said: a document, and the path in it."""

    document: str
    path: str

    def __str__(self) -> str:
        return f"{self.document}: {self.path}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, where it comes from, and what it goes before. None: it was taken away again."""

    value: bool | int | str | None
    place: Place
    before: Setting | None = None


@dataclass(frozen=True, slots=True)
class Used:
    """One step with everything that was said of it, by field; ``place`` is where the step itself is."""

    step: str
    place: Place
    settings: Mapping[str, Setting]

    @property
    def document(self) -> dict[str, Any]:
        """The model as a release has it."""
        said = {name: each.value for name, each in self.settings.items() if each.value is not None}
        return {field: said.get(field, "") for field in FIELDS} | {
            "parameters": {
                name.removeprefix(PARAMETERS): value
                for name, value in said.items()
                if name.startswith(PARAMETERS)
            }
        }


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a step from being released, and where to mend it."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def steps_of(models: Models, agent: str) -> tuple[Used, ...]:
    """The steps of an agent as the documents have them. Raises ModelsError for an agent that isn't there."""
    found = _agent(models, agent)
    return tuple(_used(models, agent, found, step) for step in found.steps)


def problems_of(used: Used) -> tuple[Problem, ...]:
    """Everything that a release of this step would lack."""
    said = used.document
    missing = [field for field in FIELDS[:2] if not said[field]]
    if missing:
        return tuple(
            Problem(
                used.place,
                f"expected a {field}" + ("; give it here or in defaults" if field == "provider" else ""),
            )
            for field in missing
        )
    why = unpinned(said["name"], said["snapshot"])
    named = used.settings["snapshot" if said["snapshot"] else "name"].place
    return (Problem(named, why),) if why else ()


def model_part(models: Models, agent: str) -> dict[str, Any]:
    """The model part of a release. Raises ModelsError unless every step is pinned."""
    steps = steps_of(models, agent)
    problems = [problem for used in steps for problem in problems_of(used)]
    if problems:
        raise ModelsError("\n".join(map(str, problems)))
    return {"steps": {used.step: used.document for used in steps}}


def _agent(models: Models, name: str) -> Agent:
    found = models.registry.agents.get(name)
    if found is None:
        names = ", ".join(sorted(models.registry.agents)) or "none"
        raise ModelsError(f"{models.source.name} has no agent {name}; it has {names}")
    return found


def _used(models: Models, agent: str, found: Agent, step: str) -> Used:
    settings: dict[str, Setting] = {}
    for place, said in _said(models, agent, found, step):
        fields = _fields(said)
        if "name" in fields and "snapshot" not in fields:
            settings.pop("snapshot", None)  # it was that of another model
        for field, value in fields.items():
            settings[field] = Setting(value, place, settings.get(field))
    return Used(step, Place(models.source.name, f"agents.{agent}.steps.{step}"), settings)


def _said(models: Models, agent: str, found: Agent, step: str) -> Iterator[tuple[Place, Defaults | Step]]:
    """Everything that is said about a step, the weakest first."""
    base, path = models.source.name, f"agents.{agent}.steps.{step}"
    yield Place(base, "defaults"), models.registry.defaults
    yield Place(base, f"agents.{agent}.defaults"), found.defaults
    yield Place(base, path), found.steps[step]
    for source, override in models.overrides:
        if agent in override.agents and step in override.agents[agent].steps:
            yield Place(source.name, path), override.agents[agent].steps[step]


def _fields(said: Defaults | Step) -> dict[str, bool | int | str | None]:
    named = {field: value for field in FIELDS if (value := getattr(said, field, None)) is not None}
    return named | {f"{PARAMETERS}{name}": value for name, value in said.parameters.items()}
