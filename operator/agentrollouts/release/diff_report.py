"""A difference as people read it, and as programs do."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from agentrollouts.release.artifact import Artifact
from agentrollouts.release.diff import Change


def report(old: Artifact, new: Artifact, changes: Sequence[Change], *, most: int | None = None) -> str:
    """The whole difference as text; with ``most``, at most so many bytes, and what was left out is said in the last line.

    Whole lines are left out from the end: first the texts, then the list of changes, of which those that grant more come first.
    """
    lines = [f"{old.agent} {old.version} {old.digest}", f"{new.agent} {new.version} {new.digest}"]
    if not changes:
        lines.append("no part differs")
    lines.extend(_headline(change) for change in changes)
    for change in changes:
        lines.extend(_body(change))
    text = "".join(f"{line}\n" for line in lines)
    return text if most is None else bounded(text, most)


def bounded(text: str, most: int) -> str:
    """At most ``most`` bytes of UTF-8, whole lines only, with a last line that says what was left out."""
    content = text.encode()
    if len(content) <= most:
        return text
    lines = content.splitlines(keepends=True)
    kept, size = 0, 0
    while size + len(lines[kept]) + len(_omission(lines[kept + 1 :])) <= most:
        size += len(lines[kept])
        kept += 1
    shown = b"".join(lines[:kept]) + _omission(lines[kept:])
    return shown[:most].decode(errors="ignore")


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


def visible(text: str) -> str:
    r"""Text that can't act on a terminal or hide anything: control and format characters as ``\u{…}``, CR as ``\r``.

    A prompt may come from an agent, and an escape sequence or a bidirectional override would show its reviewer something else.
    """
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character == "\r":
        return "\\r"
    if character != "\t" and unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}:
        return f"\\u{{{ord(character):x}}}"
    return character


def _omission(lines: Sequence[bytes]) -> bytes:
    return f"… {len(lines)} more lines ({sum(map(len, lines))} bytes) left out\n".encode()


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
