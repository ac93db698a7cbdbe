"""What differs between two artifacts, exactly: prompts and tools line by line, parameters by name, the image by digest.

What gives an agent more power comes first: a new tool, a permission, a tool that was safe and no longer is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agentrollouts.core.text_diff import lines_of, unified
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.canonical import canonical
from agentrollouts.release.documents import Document, Tool


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs. ``old`` or ``new`` is None where it is new or gone."""

    part: str
    subject: str
    old: str | None = None
    new: str | None = None
    lines: tuple[str, ...] = ()
    """A unified diff without its two heading lines, where the values are texts; a line keeps its end, but for LF."""
    grants: bool = False
    """Whether the agent may do more than before."""


def diff(old: Artifact, new: Artifact) -> tuple[Change, ...]:
    """Every difference between the parts, what grants more first; empty for the same artifact.

    What isn't part of the digest (version, lineage, an image's name) is compared as well where it belongs to a part.
    """
    found = (
        *_fields("code", _plain(old.code), _plain(new.code)),
        *_fields("model", _plain(old.model), _plain(new.model)),
        *_texts("prompts", old.prompts.files, new.prompts.files),
        *_tools(old, new),
        *_fields("data", _plain(old.data), _plain(new.data)),
    )
    return tuple(sorted(found, key=lambda change: not change.grants))


def lines_to_compare(old: Artifact, new: Artifact) -> int:
    """How many lines the prompts and tools that differ have, both sides together: what a difference costs."""
    before, after = (
        [*each.prompts.files.items(), *((tool.name, _layout(tool)) for tool in each.tools.tools)]
        for each in (old, new)
    )
    return sum(text.count("\n") + 1 for _, text in {*before} ^ {*after})


def _plain(document: Document) -> dict[str, Any]:
    return document.model_dump(by_alias=True, mode="json")


def _fields(part: str, old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> Iterator[Change]:
    """By name, however deep; values as canonical JSON, so that the string "1" and the number 1 look different."""
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _fields(part, before, after, f"{prefix}{name}.")
        elif name not in old or name not in new or before != after or type(before) is not type(after):
            yield Change(part, f"{prefix}{name}", _shown(old, name), _shown(new, name))


def _shown(values: Mapping[str, Any], name: str) -> str | None:
    return canonical(values[name]).decode() if name in values else None


def _texts(part: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            lines = unified(old.get(name, ""), new.get(name, ""))
            yield Change(part, name, _length(old.get(name)), _length(new.get(name)), lines)


def _length(text: str | None) -> str | None:
    if text is None:
        return None
    count = len(lines_of(text))
    return "1 line" if count == 1 else f"{count} lines"


def _tools(old: Artifact, new: Artifact) -> Iterator[Change]:
    before, after = ({tool.name: tool for tool in each.tools.tools} for each in (old, new))
    for name in sorted({*before, *after}):
        if name not in before:
            yield Change(
                "tools", name, None, _tool(after[name]), unified("", _layout(after[name])), grants=True
            )
        elif name not in after:
            yield Change("tools", name, _tool(before[name]), None, unified(_layout(before[name]), ""))
        elif before[name].content != after[name].content:  # NB: to ==, true and 1 are the same
            yield from _tool_changes(before[name], after[name])
    if set(before) == set(after) and list(before) != list(after):
        yield Change("tools", "order", ", ".join(before), ", ".join(after))


def _tool_changes(old: Tool, new: Tool) -> Iterator[Change]:
    for permission in sorted({*old.permissions, *new.permissions}):
        had, has = permission in old.permissions, permission in new.permissions
        if had != has:
            shown = (permission if had else None, permission if has else None)
            yield Change("tools", f"{new.name}: permission", *shown, grants=has)
    if old.side_effects != new.side_effects:
        yield Change(
            "tools",
            f"{new.name}: side effects",
            old.side_effects,
            new.side_effects,
            grants=new.side_effects == "unsafe",
        )
    if set(old.permissions) == set(new.permissions) and old.permissions != new.permissions:
        yield Change(
            "tools",
            f"{new.name}: order of permissions",
            ", ".join(old.permissions),
            ", ".join(new.permissions),
        )
    if lines := unified(*(_layout(tool, without=("permissions", "sideEffects")) for tool in (old, new))):
        yield Change("tools", new.name, _tool(old), _tool(new), lines)


def _tool(tool: Tool) -> str:
    may = f"may {', '.join(tool.permissions)}" if tool.permissions else "no permissions"
    return f"{tool.side_effects}, {may}"


def _layout(tool: Tool, without: tuple[str, ...] = ()) -> str:
    """A tool as text with a line for each thing in it; a description keeps its own lines."""
    rest = {name: value for name, value in _plain(tool).items() if name not in without}
    description = rest.pop("description")
    return f"{description}\n" + json.dumps(rest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
