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
"""Words and gaps that are compared, of all lines together without what a pair begins and ends with: lines are written by others."""
_REMARK = "\\"
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


def focused(lines: Sequence[str], longest: int) -> list[str]:
    """The lines of a unified diff; where as many were taken out as put in, those of more than ``longest`` bytes without what both have.

    What is left out says how long it is. Lines that have nothing to do with each other stay as they are.
    """
    shown, room = list(lines), MOST_WORDS
    for gone, come in _replaced(lines):
        for old, new in zip(gone, come, strict=True):
            if max(len(lines[old].encode()), len(lines[new].encode())) > longest:
                shown[old], shown[new], words = _pair(lines[old], lines[new], room)
                room -= words
    return shown


def _replaced(lines: Sequence[str]) -> Iterator[tuple[list[int], list[int]]]:
    """Where as many lines were taken out as put in: the places of both. A file's last line may have a remark after it."""
    places = [(line[:1], at) for at, line in enumerate(lines) if not line.startswith(_REMARK)]
    runs = [(mark, [at for _, at in run]) for mark, run in groupby(places, key=itemgetter(0))]
    for (mark, gone), (following, come) in pairwise(runs):
        if (mark, following) == ("-", "+") and len(gone) == len(come):
            yield gone, come


def _pair(old: str, new: str, room: int) -> tuple[str, str, int]:
    """Both lines, and how many words were compared for them; as they are where those would be more than ``room``."""
    before, after = _WORDS.findall(old[1:]), _WORDS.findall(new[1:])
    head = _alike(before, after)
    tail = min(_alike(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    gone, come = before[head : len(before) - tail], after[head : len(after) - tail]
    if len(gone) + len(come) > room:
        return old, new, 0
    changes = SequenceMatcher(None, gone, come).get_opcodes()
    first, last = (True, "".join(before[:head])), (True, "".join(before[len(before) - tail :]))
    old_parts = [first, *((tag == "equal", "".join(gone[i:j])) for tag, i, j, _, _ in changes), last]
    new_parts = [first, *((tag == "equal", "".join(come[i:j])) for tag, _, _, i, j in changes), last]
    return f"-{''.join(_elided(old_parts))}", f"+{''.join(_elided(new_parts))}", len(gone) + len(come)


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
