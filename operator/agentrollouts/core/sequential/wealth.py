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
    return tuple(
        [won_by(held + fresh * weight, won) for held, weight, won in zip(wealth, weights, logs, strict=True)]
    )


def grown(wealth: Wealth, logs: Sequence[float]) -> Wealth:
    """The wealth of bets laid once, at the start, after one more block."""
    return tuple([won_by(held, won) for held, won in zip(wealth, logs, strict=True)])


def won_by(held: float, won: float) -> float:
    """What is held after an e-value with the logarithm ``won``."""
    after = held * (exp(won) if won < MOST else RICHEST)
    return min(RICHEST, after)
