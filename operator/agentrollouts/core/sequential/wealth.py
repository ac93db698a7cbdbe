"""Evidence that adds up over a whole rollout: wealth won by betting against a null hypothesis, block after block.

Ville's inequality holds at every moment at once: under the null hypothesis the chance that the wealth ever reaches
1/alpha is at most alpha, however often it is looked at, for however long, and whatever the rollout does because of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

FIRST, LATER = 0.7, 0.2
"""Parts of the stake laid at the first block and, 1 / (b (b - 1)) of it at block b, at all later ones: a candidate that
turns bad late meets fresh stakes then. The tenth that is never laid is a reserve: bets that fit well use nearly all of
alpha over ten thousand looks, and sessions of one user that resemble each other would take the rest."""
MOST = 700.0
"""Logarithm of the largest wealth that is told apart. More would overflow, and less wealth is always valid."""
RICHEST = exp(MOST)

Wealth = tuple[float, ...]


def laid(wealth: Wealth, block: int, weights: Sequence[float], logs: Sequence[float]) -> Wealth:
    """The wealth of each bet after block number ``block`` (from 1), whose e-values have these logarithms.

    ``weights`` sum to 1: how the stake is spread over the bets.
    """
    fresh = FIRST if block == 1 else LATER / (block * (block - 1))
    stakes = [held + fresh * weight for held, weight in zip(wealth, weights, strict=True)]
    return grown(stakes, logs)


def grown(wealth: Sequence[float], logs: Sequence[float]) -> Wealth:
    """The wealth of bets after one more block, whose e-values have these logarithms; nothing is laid anew."""
    after = []
    for held, won in zip(wealth, logs, strict=True):
        more = held * exp(won) if won < MOST else held * RICHEST
        after.append(more if more < RICHEST else RICHEST)  # noqa: FURB136 - some hundred bets a look, and a call each
    return tuple(after)
