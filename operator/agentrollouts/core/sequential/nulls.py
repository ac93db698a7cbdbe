"""The null hypothesis nearest to a bet: the reverse information projection on the line p_candidate = p_old - margin.

Turner, Ly and Grünwald, Generic E-variables for exact sequential k-sample tests (arXiv:2106.02693), with the margins of
Turner and Grünwald (arXiv:2203.09785). Any pair on the line gives a valid test; the nearest one gives the strongest.
"""

from __future__ import annotations

_ROUNDS = 20
_ENOUGH = 1e-9
_HAIR = 1e-6


def nearest_null(candidate: float, old: float, margin: float, *, candidates: float, olds: float) -> float:
    """The old version's rate x that minimises ``candidates * KL(candidate || x - margin) + olds * KL(old || x)``.

    Rates lie strictly between 0 and 1, ``margin`` is in [0, 1), the weights are numbers of units and positive.
    """
    if margin <= 0.0:
        return (candidates * candidate + olds * old) / (candidates + olds)
    low, high = margin + _HAIR, 1.0 - _HAIR
    first, second = candidates / (candidate * (1.0 - candidate)), olds / (old * (1.0 - old))
    x = (first * (candidate + margin) + second * old) / (first + second)
    for _ in range(_ROUNDS):
        x = x if low < x < high else 0.5 * (low + high)
        y = x - margin
        wide, broad = y * (1.0 - y), x * (1.0 - x)
        gap, space = candidate - y, old - x
        slope = candidates * gap / wide + olds * space / broad
        if slope > 0.0:
            low = x
        else:
            high = x
        bend = candidates * (wide + gap * (1.0 - y - y)) / (wide * wide)
        bend += olds * (broad + space * (1.0 - x - x)) / (broad * broad)
        step = slope / bend  # Newton's, where it stays inside what bisection knows
        x += step
        if -_ENOUGH < step < _ENOUGH:
            break
    return min(max(x, margin + _HAIR), 1.0 - _HAIR)
