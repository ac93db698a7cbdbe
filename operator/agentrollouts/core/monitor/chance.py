"""How far two samples of sessions are apart by chance alone, so rarely more that months of looks raise no false alarm.

The promise: a version whose behaviour is what it was raises any alarm within :data:`LOOKS` looks with a chance of at most
:data:`ALPHA`. It is a union bound: each look, each signal and each direction may err with exp(-:data:`DOUBT`). At a look
every five minutes, ten thousand are a month; overlapping windows say nearly the same, so in truth it is much longer.

The argument. The units are closed sessions, the profile's n0 and the window's n1. If nothing changed they are exchangeable:
given all N = n0 + n1 of them, which ones are the profile's is a draw without replacement. So everything below is
about a finite population that is known, the pooled one, and needs no model of how the sessions scatter.

Means of numbers in [0, 1], with the pooled variance v (at most p (1 - p) where only the mean p is known): the mean of
m drawn ones exceeds the pooled mean by t with a chance of at most exp(-m t^2 / (2 v + 2 t b / 3)), b being the most that one
exceeds it (Bernstein; Hoeffding 1963, theorem 4: a draw without replacement is no worse). Of b is known that it is at most 1, and
that its square is at most N v. The other sample's mean follows, so the two means are N / (N - m) t apart.

Total variation of two mixes: its expectation is at most half the sum, over the names, of the standard deviations of the differences,
sqrt(p (1 - p) (1 / n0 + 1 / n1) N / (N - 1)); one exchange of two sessions changes it by at most 1 / n0 + 1 / n1, so it exceeds its
expectation by t with a chance of at most about exp(-2 t^2 / (1 / n0 + 1 / n1)) (McDiarmid; without replacement El-Yaniv and
Pechyony, Transductive Rademacher Complexity, 2009, lemma 2). Only names that were seen count, because the population is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log, sqrt
from typing import get_args

from agentrollouts.api.monitor import Signal

ALPHA = 0.01
"""The chance of any false alarm in :data:`LOOKS` looks."""
LOOKS = 10_000
SIGNALS = len(get_args(Signal))
DOUBT = log(2 * SIGNALS * LOOKS / ALPHA)
"""Minus the logarithm of the chance that one look at one signal in one direction errs."""


def of_means(n: tuple[float, float], variance: float) -> float:
    """How far the means of two samples may be apart by chance, of numbers in [0, 1] with this pooled variance."""
    whole, m = sum(n), min(n)
    beyond = min(1.0, sqrt(whole * variance))
    linear = DOUBT * beyond / 3.0
    drawn = (linear + sqrt(linear * linear + 2.0 * DOUBT * m * variance)) / m
    return drawn * whole / (whole - m)


def of_mixes(n: tuple[float, float], pooled: Iterable[float]) -> float:
    """How far the mixes of two samples may be apart by chance, by the parts that names have in both together."""
    inverse, whole = 1.0 / n[0] + 1.0 / n[1], sum(n)
    scatter = sum(sqrt(max(0.0, part * (1.0 - part))) for part in pooled)
    expected = 0.5 * scatter * sqrt(inverse * whole / max(1.0, whole - 1.0))
    return expected + sqrt(0.5 * DOUBT * inverse)
