"""Long lines of a difference, as far as they differ: a prompt is often one paragraph, and a paragraph is one line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby, pairwise, takewhile
from operator import itemgetter

AROUND = 60
"""Characters that stay on each side of a change."""
MOST_WORDS = 16_000
"""Words and gaps of both lines together that are compared, without what both begin and end with: lines are written by others."""
_REMARK = "\\"
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


def focused(lines: Sequence[str], longest: int) -> list[str]:
    """The lines of a unified diff; where as many were taken out as put in, those of more than ``longest`` bytes without what both have.

    What is left out says how long it is. Lines that have nothing to do with each other stay as they are.
    """
    shown = list(lines)
    for gone, come in _replaced(lines):
        for old, new in zip(gone, come, strict=True):
            shown[old], shown[new] = _pair(lines[old], lines[new], longest)
    return shown


def _replaced(lines: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    """Where as many lines were taken out as put in: the places of both. A file's last line may have a remark after it."""
    places = [(line[:1], at) for at, line in enumerate(lines) if not line.startswith(_REMARK)]
    runs = [(mark, [at for _, at in run]) for mark, run in groupby(places, key=itemgetter(0))]
    for (mark, gone), (following, come) in pairwise(runs):
        if (mark, following) == ("-", "+") and len(gone) == len(come):
            yield gone, come


def _pair(old: str, new: str, longest: int) -> tuple[str, str]:
    if max(len(old.encode()), len(new.encode())) <= longest:
        return old, new
    before, after = _WORDS.findall(old[1:]), _WORDS.findall(new[1:])
    parts = _compared(before, after)
    if parts is None:
        return old, new
    old_parts = [(alike, "".join(before[mine])) for alike, mine, _ in parts]
    new_parts = [(alike, "".join(after[theirs])) for alike, _, theirs in parts]
    return f"-{''.join(_elided(old_parts))}", f"+{''.join(_elided(new_parts))}"


def _compared(before: list[str], after: list[str]) -> list[tuple[bool, slice, slice]] | None:
    """Runs of words, whether both have them, and their places in both; None where there is too much to compare."""
    head = _alike(before, after)
    tail = min(_alike(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    old_end, new_end = len(before) - tail, len(after) - tail
    if old_end + new_end - 2 * head > MOST_WORDS:
        return None
    changes = SequenceMatcher(None, before[head:old_end], after[head:new_end]).get_opcodes()
    return [
        (True, slice(head), slice(head)),
        *(
            (tag == "equal", slice(head + i, head + j), slice(head + k, head + m))
            for tag, i, j, k, m in changes
        ),
        (True, slice(old_end, None), slice(new_end, None)),
    ]


def _alike(before: Iterable[str], after: Iterable[str]) -> int:
    """How many words both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _elided(parts: Iterable[tuple[bool, str]]) -> Iterator[str]:
    """What both lines have keeps its ends: beside a change, and where the line begins and ends, too, so that it is found again."""
    for alike, text in parts:
        left = f"[… {len(text) - 2 * AROUND} characters alike …]"
        if alike and len(text) > 2 * AROUND + len(left):
            yield f"{text[:AROUND]}{left}{text[-AROUND:]}"
        else:
            yield text
