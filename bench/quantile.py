"""How a list of seconds is summed up."""

from __future__ import annotations

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values doesn't exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary(values: Sequence[float], *, digits: int = 3) -> dict[str, float]:
    """Smallest, median, 95th and 99th percentile, largest; empty for no values."""
    if not values:
        return {}
    shares = {"min": 0.0, "p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(quantile(values, share), digits) for name, share in shares.items()}
