"""Reads manifests and finds what is wrong with them, offline. Pure but for the YAML parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from pydantic import ValidationError

from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.api.crd import crd
from agentrollouts.api.kinds import AGENT_ROUTE, APPROVAL_GATE, KINDS, Kind
from agentrollouts.cli.schema import Path, Problem, problems
from agentrollouts.core.template import complaints

_MADE_BY_OPERATOR = (AGENT_ROUTE.kind, APPROVAL_GATE.kind)


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, with the line it stands at."""

    line: int
    subject: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one file: how many objects of ours were looked at, and what is wrong."""

    checked: int
    findings: tuple[Finding, ...]


def lint_text(text: str) -> Report:
    """All documents of one file. Objects of other API groups are left alone."""
    checked, findings = 0, list[Finding]()
    try:
        for node, value in _documents(text):
            if not _is_ours(value):
                continue
            checked += 1
            subject = f"{value.get('kind', 'object')}/{(value.get('metadata') or {}).get('name', '?')}"
            findings += [
                Finding(_line_of(node, problem.path), subject, _written(problem.path), problem.message)
                for problem in _object_problems(value)
            ]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        findings.append(Finding(line, "YAML", "", f"can't be read: {error.problem or error.context}"))
    return Report(checked, tuple(findings))


def objects(text: str) -> tuple[Mapping[str, Any], ...]:
    """The objects of ours in one file that :func:`lint_text` finds nothing wrong with, in their order."""
    return tuple(value for _, value in _documents(text) if _is_ours(value))


def _is_ours(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("apiVersion", "")).startswith(f"{GROUP}/")


class _Loader(yaml.SafeLoader):
    """Keeps times as the strings they are, as the API server does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _documents(text: str) -> Iterator[tuple[yaml.Node, Any]]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node, loader.construct_document(node)
    finally:
        loader.dispose()


def _object_problems(value: Mapping[str, Any]) -> Iterator[Problem]:
    kind = next((each for each in KINDS if each.kind == value.get("kind")), None)
    if kind is None:
        names = ", ".join(each.kind for each in KINDS if each.kind not in _MADE_BY_OPERATOR)
        yield Problem(("kind",), f"expected one of {names}, got {value.get('kind')!r}")
        return
    if value["apiVersion"] != f"{GROUP}/{API_VERSION}":
        yield Problem(("apiVersion",), f"expected {GROUP}/{API_VERSION}, got {value['apiVersion']}")
        return
    if kind.kind in _MADE_BY_OPERATOR:
        yield Problem(("kind",), f"the operator makes {kind.kind} objects; leave it out of your manifests")
        return
    if not (value.get("metadata") or {}).get("name"):
        yield Problem(("metadata",), "name is missing")
    found = list(problems(_schema(kind.kind), {key: item for key, item in value.items() if key != "status"}))
    yield from found or (*_model_problems(kind, value), *_template_problems(value))


def _model_problems(kind: Kind, value: Mapping[str, Any]) -> Iterator[Problem]:
    """What the operator's own model refuses beyond the schema: nothing, as far as the two agree."""
    try:
        kind.spec.model_validate(value["spec"])
    except ValidationError as error:
        for item in error.errors():
            yield Problem(("spec", *item["loc"]), f"{item['msg']}, got {item['input']!r}")


def _template_problems(value: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with queries of the user's own. The server takes any text; the operator would say it in the status."""
    for number, check in enumerate(((value["spec"].get("analysis") or {}).get("checks")) or ()):
        if "promql" in check:
            path = ("spec", "analysis", "checks", number, "promql", "query")
            yield from (Problem(path, message) for message in complaints(check["promql"]["query"]))


@cache
def _schema(kind: str) -> Mapping[str, Any]:
    definition = crd(next(each for each in KINDS if each.kind == kind))
    schema: Mapping[str, Any] = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _written(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _line_of(node: yaml.Node, path: Path) -> int:
    """The line of the deepest part of a path that is written down."""
    line = node.start_mark.line
    for part in path:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, item) for key, item in node.value if key.value == part), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
    return line + 1
