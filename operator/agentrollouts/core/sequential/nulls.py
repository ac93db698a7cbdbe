"""The null hypothesis nearest to a bet: the reverse information projection on the line p_candidate = p_old - margin.

Turner, Ly and Grünwald, Generic E-variables for exact sequential k-sample tests (arXiv:2106.02693), with the margins of
Turner and Grünwald (arXiv:2203.09785). Any pair on the line gives a valid test; the nearest one gives the strongest.
"""

from __future__ import annotations

from typing import NamedTuple

_ROUNDS = 40
_ENOUGH = 1e-10
_HAIR = 1e-6


class Rates(NamedTuple):
    """A success rate for the candidate and one for the old version."""

    candidate: float
    old: float


def nearest_null(bet: Rates, margin: float, *, candidates: float, olds: float) -> Rates:
    """The pair on the line that minimises ``candidates * KL(bet || pair) + olds * KL(bet || pair)``.

    ``bet`` lies strictly between 0 and 1, ``margin`` is in [0, 1), the weights are numbers of units and positive.
    """
    if margin <= 0.0:
        pooled = (candidates * bet.candidate + olds * bet.old) / (candidates + olds)
        return Rates(pooled, pooled)
    low, high = margin + _HAIR, 1.0 - _HAIR
    first, second = candidates / _spread(bet.candidate), olds / _spread(bet.old)
    old = (first * (bet.candidate + margin) + second * bet.old) / (first + second)
    for _ in range(_ROUNDS):
        old = old if low < old < high else 0.5 * (low + high)
        slope, bend = _slopes(old, margin, bet, candidates, olds)
        if slope > 0.0:
            low = old
        else:
            high = old
        step = slope / bend  # Newton's, where it stays inside what bisection knows
        old -= step
        if -_ENOUGH < step < _ENOUGH:
            break
    old = min(max(old, margin + _HAIR), 1.0 - _HAIR)
    return Rates(old - margin, old)


def _spread(rate: float) -> float:
    return rate * (1.0 - rate)


def _slopes(old: float, margin: float, bet: Rates, candidates: float, olds: float) -> tuple[float, float]:
    """The derivative of minus the divergence along the line, which always falls, and its own derivative."""
    new = old - margin
    wide, broad = new * (1.0 - new), old * (1.0 - old)
    gap, space = bet.candidate - new, bet.old - old
    slope = candidates * gap / wide + olds * space / broad
    bend = candidates * (wide + gap * (1.0 - 2.0 * new)) / (wide * wide)
    bow = olds * (broad + space * (1.0 - 2.0 * old)) / (broad * broad)
    return slope, -bend - bow
