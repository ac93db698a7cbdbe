"""A difference as people read it, and as programs do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from agentrollouts.core.text_diff import bounded, visible
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.diff import Change


def report(old: Artifact, new: Artifact, changes: Sequence[Change], *, most: int | None = None) -> str:
    """The whole difference as text; with ``most``, at most so many bytes, and what was left out is said in the last line.

    Whole lines are left out from the end: first the texts, then the list of changes, of which those that grant more come first.
    """
    heading = "".join(f"{each.agent} {each.version} {each.digest}\n" for each in (old, new))
    text = heading + (listed(changes) or "no part differs\n")
    return text if most is None else bounded(text, most)


def listed(changes: Sequence[Change]) -> str:
    """The changes as text, a line each, and after them their texts; empty where there are none."""
    lines = [_headline(change) for change in changes]
    for change in changes:
        lines.extend(_body(change))
    return "".join(f"{line}\n" for line in lines)


def document(old: Artifact, new: Artifact, changes: Sequence[Change]) -> dict[str, Any]:
    """The difference as JSON: both artifacts with their part digests, and every change."""
    return {
        "old": _named(old),
        "new": _named(new),
        "changes": [
            {
                "part": change.part,
                "subject": change.subject,
                "old": change.old,
                "new": change.new,
                "grants": change.grants,
                "lines": list(change.lines),
            }
            for change in changes
        ],
    }


def _named(artifact: Artifact) -> dict[str, Any]:
    return {
        "agent": artifact.agent,
        "version": artifact.version,
        "digest": artifact.digest,
        "parts": artifact.parts,
    }


def _headline(change: Change) -> str:
    mark = "! " if change.grants else "  "
    return visible(f"{mark}{change.part}: {change.subject}: {_what(change)}")


def _body(change: Change) -> Iterator[str]:
    if change.lines:
        yield ""
        yield visible(f"{change.part}: {change.subject}")
        yield from map(visible, change.lines)


def _what(change: Change) -> str:
    if change.old is None:
        return f"new: {change.new}"
    if change.new is None:
        return f"removed: {change.old}"
    return f"{change.old} -> {change.new}"
