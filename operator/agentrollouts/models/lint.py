"""Finds model names outside the registry: each would be a model update that no release shows and no rollout judges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Literal as Choice

from agentrollouts.models.families import Names
from agentrollouts.models.literals import Literal, literals_in
from agentrollouts.models.registry import Models
from agentrollouts.models.resolve import Problem, problems_of, steps_of

Rule = Choice["model-name", "unpinned-model", "allow-without-reason"]
RULES: dict[Rule, str] = {
    "model-name": "A model is named outside the registry.",
    "unpinned-model": "A model of the registry isn't pinned.",
    "allow-without-reason": "An allowed model name has no reason beside it.",
}
ALLOW = re.compile(r"#\s*models:\s*allow\b[ \t]*(?P<why>[^\n]*)")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend. ``line`` and ``column`` count from 1."""

    path: str
    line: int
    column: int
    rule: Rule
    message: str


def findings_in(path: str, text: str, names: Names) -> list[Finding]:
    """The model names in a file's text. Raises UnreadableError where it isn't what its name says."""
    lines = text.splitlines()
    found = (_finding(path, literal, lines, names) for literal in literals_in(path, text))
    return sorted((each for each in found if each is not None), key=lambda each: (each.line, each.column))


def registry_findings(models: Models) -> list[Finding]:
    """The steps of a registry that couldn't be released, at the line of the step."""
    problems = (
        problem
        for agent in models.registry.agents
        for used in steps_of(models, agent)
        for problem in problems_of(used)
    )
    texts = {
        source.name: source.text for source in (models.source, *(source for source, _ in models.overrides))
    }
    return [_unpinned(problem, texts[problem.place.document]) for problem in problems]


def names_in(models: Models) -> frozenset[str]:
    """The names of all models in a registry."""
    used = (used for agent in models.registry.agents for used in steps_of(models, agent))
    return frozenset(name for each in used if (name := each.document["name"]))


def is_allowed(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path is one where models may be named. A folder stands for all in it; ``*`` matches across folders."""
    return any(fnmatch(path, pattern) or fnmatch(path, f"{pattern.rstrip('/')}/*") for pattern in patterns)


def _finding(path: str, literal: Literal, lines: Sequence[str], names: Names) -> Finding | None:
    provider = names.provider_of(literal.text)
    if provider is None:
        return None
    allowed = [found for line in lines[literal.line - 1 : literal.last] if (found := ALLOW.search(line))]
    if any(found["why"].strip() for found in allowed):
        return None
    shown = literal.text.strip()
    if allowed:
        message = f"{shown!r} is allowed without a reason: write why after `# models: allow`"
        return Finding(path, literal.line, literal.column, "allow-without-reason", message)
    message = (
        f"the model {shown!r} ({provider}) is named here: put it into the registry, and ask for the step's model"
        " with agentrollouts_kit.model(step)"
    )
    return Finding(path, literal.line, literal.column, "model-name", message)


def _unpinned(problem: Problem, text: str) -> Finding:
    line = _line_of(text, problem.place.path.split("."))
    return Finding(
        problem.place.document, line, 1, "unpinned-model", f"{problem.place.path}: {problem.message}"
    )


def _line_of(text: str, path: Sequence[str]) -> int:
    """The line of a path in a registry; its keys come one after another, each deeper than the one before."""
    lines = text.splitlines()
    at = 0
    for key in path:
        wanted = re.compile(rf"(^|[\s{{,])[\"']?{re.escape(key)}[\"']?\s*:")
        at = next((number for number in range(at, len(lines)) if wanted.search(lines[number])), at)
    return at + 1
