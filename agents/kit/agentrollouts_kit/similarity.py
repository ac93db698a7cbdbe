"""How alike two answers read: a number from 0 to 1, from their characters alone.

A character n-gram F-score, as chrF (M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015), which
was made to agree with people on how close two wordings are, and needs no word list and no language: for each n the part of
the n-grams that both texts have, as precision and as recall; both averaged over n, and their harmonic mean, which makes it
symmetric. Two differences: spaces count, and n goes from 3 to 6 instead of from 1. Any two long texts share nearly all of
their letters and pairs (two pages of these docs: 0.41 from 1, 0.25 from 3).

It knows no meaning: "is shipped" and "is not shipped" are much alike. Give the reporter a `similarity` of your own where that
matters.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Final

MAX_CHARS: Final = 8_000
"""Of either text, from its beginning: bounds the time to some 60 ms. What comes later is not compared."""
_LOWEST: Final = 3
_HIGHEST: Final = 6


def similarity(first: str, second: str) -> float:
    """1 for texts that are equal but for case, spacing and Unicode spelling; 0 for texts that share no n-gram.

    Two empty texts are equal; an empty one has nothing in common with any other.
    """
    one, other = _normalised(first), _normalised(second)
    if one == other:
        return 1.0
    shorter = min(len(one), len(other))
    if not shorter:
        return 0.0
    orders = range(min(_LOWEST, shorter), min(_HIGHEST, shorter) + 1)
    precision = recall = 0.0
    for n in orders:
        mine, theirs = _grams(one, n), _grams(other, n)
        shared = (mine & theirs).total()
        precision += shared / mine.total()
        recall += shared / theirs.total()
    if precision + recall == 0:
        return 0.0
    # NB: of the sums, not of the means: the number of orders cancels once.
    return min(1.0, 2 * precision * recall / (precision + recall) / len(orders))


def _normalised(text: str) -> str:
    # NB: cut before and after: a single character may become eighteen.
    same = unicodedata.normalize("NFKC", text[:MAX_CHARS]).casefold()
    return " ".join(same.split())[:MAX_CHARS]


def _grams(text: str, n: int) -> Counter[str]:
    return Counter(text[start : start + n] for start in range(len(text) - n + 1))
