"""Blocks small enough to be enumerated: every outcome of a few independent units, with its probability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from random import Random

from agentrollouts.core.sequential.evalue import Bet, Line, Pair, log_good, log_worse, logs_larger, mass
from agentrollouts.core.sequential.measure import Block
from agentrollouts.core.sequential.units import Units

EXACT = 1e-9
"""What sums of floats may miss 1 by."""

Unit = tuple[tuple[float, float], ...]
"""What one unit may come to: (chance, fraction)."""
Session = tuple[tuple[float, Mapping[str, float]], ...]
"""The same for a unit with several sums."""
FRACTIONS = (0.0, 0.15, 1 / 3, 0.5, 0.8, 1.0)


def unit(chance: Random, mean: float, most: int = 3) -> Unit:
    """A unit with this mean: up to ``most`` fractions, most of them strictly between 0 and 1, and an end to meet the mean."""
    inner = chance.sample(FRACTIONS, chance.randint(1, most - 1))
    parts = [chance.uniform(0.1, 1.0) for _ in inner]
    middle = sum(p * x for p, x in zip(parts, inner, strict=True)) / sum(parts)
    end, kept = (0.0, mean / middle) if middle > mean else (1.0, (1.0 - mean) / max(1.0 - middle, 1e-12))
    kept = min(1.0, kept)
    return tuple(
        (p, x)
        for p, x in [(kept * p / sum(parts), x) for p, x in zip(parts, inner, strict=True)]
        + [(1.0 - kept, end)]
        if p > 0.0
    )


def side(chance: Random, n: int, mean: float, most: int = 3) -> tuple[Unit, ...]:
    """Units of different difficulty; only the mean of their means is ``mean``."""
    means = [chance.random() for _ in range(n)]
    middle = sum(means) / n
    if middle > mean:
        means = [m * mean / middle for m in means]
    else:
        means = [1.0 - (1.0 - m) * (1.0 - mean) / (1.0 - middle) for m in means]
    return tuple(unit(chance, min(1.0, max(0.0, m)), most) for m in means)


def outcomes(units: Sequence[Unit]) -> list[tuple[float, Units]]:
    """Everything that can come of the units together."""
    return [
        (
            prod([p for p, _ in one]),
            Units(float(len(one)), sum([x for _, x in one]), sum([x * x for _, x in one])),
        )
        for one in product(*units)
    ]


def blocks(sessions: Sequence[Session]) -> list[tuple[float, Block]]:
    """The same with sums by name."""
    return [(prod([p for p, _ in one]), added([sums for _, sums in one])) for one in product(*sessions)]


def added(each: Sequence[Mapping[str, float]]) -> Block:
    """A block of these units."""
    sums: dict[str, float] = {}
    for one in each:
        for name, amount in one.items():
            sums[name] = sums.get(name, 0.0) + amount
    return Block(float(len(each)), sums)


def squared(units: Sequence[Unit]) -> tuple[Session, ...]:
    """Units by their sum and sum of squares."""
    return tuple(tuple((p, {"total": x, "squares": x * x}) for p, x in one) for one in units)


def nulls(chance: Random, count: int, ratio: float, margin: float) -> Iterator[tuple[float, float]]:
    """Pairs of means (a, b) with a <= ratio b + margin, two thirds of them on the boundary. Some are extreme."""
    least, most = max(0.0, -margin / ratio), min(1.0, (1.0 - margin) / ratio)
    for at in range(count):
        part = chance.choice((chance.random(), chance.random() ** 4, 1.0 - chance.random() ** 4))
        b = least + part * (most - least)
        a = min(1.0, max(0.0, ratio * b + margin))
        yield (a * chance.random() if at % 3 == 2 else a), b


def larger(
    stake: float, centres: tuple[float, float], first: Units, second: Units, *, ratio: float = 1.0
) -> float:
    """``logs_larger`` of the units themselves; ``centres`` are (m_a, m_b)."""
    here, there = centres
    line = Line(here, 1.0 - there, stake / first.n)
    return logs_larger((line,), mass(first), mass(second.rest()), ratio=ratio)[0]


def worse(bet: Bet, tolerance: float, candidate: Units, old: Units) -> float:
    """``log_worse`` of the units themselves."""
    return log_worse(bet, tolerance, Pair.of(candidate, old))


def good(bet: Bet, margin: float, candidate: Units, old: Units) -> float:
    """``log_good`` of the units themselves."""
    return log_good(bet, margin, Pair.of(candidate, old))
