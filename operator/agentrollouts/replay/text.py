"""How alike two texts are: the cosine of the counts of their character trigrams. It needs no dependency and knows no meaning.

The vector space model of Salton, Wong and Yang (Communications of the ACM 18, 613-620, 1975) over character n-grams (Cavnar and Trenkle,
Proceedings of SDAIR-94, 161-175).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from math import sqrt
from typing import Final

THRESHOLD: Final = 0.85
"""From here on two texts count as the same decision: a reordered or slightly longer sentence does, another order number in a short one doesn't."""
_MOST_CHARS: Final = 20_000
_N: Final = 3


def similarity(first: str, second: str) -> float:
    """1 for texts that are equal but for case, spacing and Unicode spelling; 0 for texts that share no trigram."""
    one, other = _normalised(first), _normalised(second)
    if one == other:
        return 1.0
    mine, theirs = _grams(one), _grams(other)
    shared = sum(count * theirs[gram] for gram, count in mine.items())
    norm = sqrt(_square(mine) * _square(theirs))
    return min(1.0, shared / norm) if norm else 0.0


def _normalised(text: str) -> str:
    same = unicodedata.normalize("NFKC", text[:_MOST_CHARS]).casefold()
    return " ".join(same.split())[:_MOST_CHARS]


def _grams(text: str) -> Counter[str]:
    # NB: framed by spaces, so that a word of one or two letters has trigrams, too.
    framed = f"  {text}  " if text else ""
    return Counter(framed[start : start + _N] for start in range(len(framed) - _N + 1))


def _square(grams: Counter[str]) -> int:
    return sum(count * count for count in grams.values())
