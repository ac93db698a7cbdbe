"""How long to wait until something outside is tried again."""

from __future__ import annotations

FIRST, LAST = 2.0, 300.0
"""Seconds until the second try, doubling from the first to the last."""
JITTER = 0.25
"""A pause is up to a quarter shorter, so that what failed together drifts apart."""
_DOUBLED = 16


def pause(tries: int, chance: float, asked: float | None) -> float:
    """Seconds after so many tries that failed. ``chance`` is from 0 to 1; ``asked``: what the other side wants at least."""
    usual = min(LAST, FIRST * 2.0 ** min(tries - 1, _DOUBLED)) * (1 - JITTER * chance)
    return max(usual, asked or 0.0)
