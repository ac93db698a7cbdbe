"""Rates and ratios of a grid, so that what follows from them is worked out once and looked up afterwards.

They choose bets. A coarse bet costs a little evidence and never validity; the steps are so small that it can't be measured.
"""

from __future__ import annotations

from math import exp, log

_ODDS = 10.0
"""Steps of the grid of rates in each factor e of the odds."""
_RATIOS = 12.0
"""Steps of the grid of ratios in each factor e."""
_PARTS = 40.0


def near(rate: float) -> float:
    """A rate between 0 and 1 on the grid: fine where it is close to either."""
    return 1.0 / (1.0 + exp(-round(_ODDS * log(rate / (1.0 - rate))) / _ODDS))


def near_ratio(ratio: float) -> float:
    """A positive ratio on the grid."""
    return exp(round(_RATIOS * log(ratio)) / _RATIOS)


def near_part(part: float) -> float:
    """A part of a unit on the grid, from above 0 to 1."""
    return max(1.0, round(_PARTS * part)) / _PARTS
