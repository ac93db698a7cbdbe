"""How two texts differ, line by line, as it may be shown: nothing in it acts on a terminal, and it fits where it is put. Pure."""

from __future__ import annotations

import difflib
import unicodedata

from agentrollouts.core.changed_words import focused

CONTEXT = 3
"""Unchanged lines around a changed one."""


def unified(old: str, new: str) -> tuple[str, ...]:
    """A unified diff of two texts, without its two heading lines.

    NB: lines end at LF only. ``str.splitlines`` also ends them at characters such as U+2028, and the ends would be lost.
    """
    found = difflib.unified_diff(lines_of(old), lines_of(new), n=CONTEXT, lineterm="")
    shown: list[str] = []
    for line in list(found)[2:]:
        if line.startswith("@@"):
            shown.append(line)
            continue
        shown.append(line.removesuffix("\n"))
        if not line.endswith("\n"):
            shown.append("\\ No newline at end of file")
    return tuple(shown)


def lines_of(text: str) -> list[str]:
    """The lines of a text, each with its end."""
    *whole, rest = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([rest] if rest else [])]


def visible(text: str) -> str:
    r"""Text that can't act on a terminal or hide anything: control and format characters as ``\u{…}``, CR as ``\r``.

    A prompt may come from an agent, and an escape sequence or a bidirectional override would show its reviewer something else.
    """
    return "".join(_visible(character) for character in text)


def bounded(text: str, most: int, *, longest: int | None = None) -> str:
    """At most ``most`` bytes of UTF-8, whole lines only, with a last line that says what was left out.

    With ``longest``, a line of more bytes is shown as far as it changed; if that is too long, too, it is cut and says so, so that
    one line can't take the room of all others. A text that fits as it is stays as it is.
    """
    content = text.encode()
    if len(content) <= most:
        return text
    if longest is not None:
        content = "\n".join(focused(text.split("\n"), longest)).encode()
    lines = content.splitlines(keepends=True)
    shown: list[bytes] = []
    room, left = most, len(content)
    for number, line in enumerate(lines, start=1):
        part, after = _part(line, longest), len(lines) - number
        room -= len(part)
        if room < (len(_omission(after, left - len(line))) if after else 0):
            shown.append(_omission(after + 1, left))
            break
        shown.append(part)
        left -= len(line)
    return b"".join(shown)[:most].decode(errors="ignore")


def _part(line: bytes, longest: int | None) -> bytes:
    whole = line.removesuffix(b"\n")
    if longest is None or len(whole) <= longest:
        return line
    # NB: a cut may go through a character.
    kept = whole[:longest].decode(errors="ignore").encode()
    return kept + f"… {len(whole) - len(kept)} more bytes of this line\n".encode()


def _omission(lines: int, size: int) -> bytes:
    return f"… {lines} more lines ({size} bytes) left out\n".encode()


def _visible(character: str) -> str:
    if character == "\r":
        return "\\r"
    if character != "\t" and unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}:
        return f"\\u{{{ord(character):x}}}"
    return character
