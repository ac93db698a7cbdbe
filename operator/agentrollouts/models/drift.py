"""Whether a version still answers its probes as when it was accepted, looked at for years under one error budget.

A probe's answer has a score from 0 to 1. Of the accepted version some scores of each probe are known, the baseline. A look brings a few
more, and the question is the same every time, so the chance of a false alarm must not add up from look to look.

**What is tested.** For each probe, and for all of them together, that the mean score is no further than ``allowed`` below what it was, and
no further above. What it was isn't known either: the baseline is a sample. So each mean is first bounded from its sample (Hoeffding 1963,
theorem 1, in its form with the Kullback-Leibler divergence, which holds for independent scores in [0, 1] with different means); all bounds
together fail with a chance of at most ``alpha / 2``.

**How it adds up.** Against "the mean is at least m" a part c of what there is is laid on each answer: it becomes 1 + c (m - x) / (1 - m) times as
much. If the answers of a look are independent and their mean is at least m, no such product grows on average (inequality of the means),
however many looks there are. So the whole stake reaches ``2 / alpha`` with a chance of at most ``alpha / 2``, ever (Ville's inequality). The other
direction is the same with 1 - x.

**Late changes.** A stake laid at the first look would be lost by the time something happens. So every look lays a fresh part of it,
1 / log2(k + 1) - 1 / log2(k + 2) at look k: these parts come to 1, and shrink so slowly that a change after a year of hourly looks is found as
if ``alpha`` were a million times smaller, which costs some looks more and no validity.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log, log1p, log2
from typing import Literal, NamedTuple

from agentrollouts.core.sequential.wealth import RICHEST, grown

Way = Literal["below", "above"]
WAYS: tuple[Way, ...] = ("below", "above")
ALL = ""
"""The name of all probes together."""
STAKES = (0.05, 0.12, 0.3, 0.6, 0.95)
"""Parts that are laid on an answer, one bet each: small ones find a small drift, large ones a large one early."""
TOGETHER = 0.5
"""The part of alpha and of the stake for all probes together; the others share the rest."""
_STEPS = 60
"""Halvings until a bound is known to more digits than a float has."""

Wealth = tuple[float, ...]


class Test(NamedTuple):
    """One mean in one direction, as a share of the scores (above: of what lacks to 1)."""

    probe: str
    way: Way
    accepted: float
    """The mean that the baseline had."""
    least: float
    """What it may fall to before anything speaks against it; nothing can where this is 0 or less."""
    part: float
    """Of the stake."""

    @property
    def key(self) -> str:
        """What its wealth is kept under."""
        return f"{self.way}:{self.probe}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is tested; made of the baseline, and the same at every look."""

    alpha: float
    allowed: float
    tests: tuple[Test, ...]

    @property
    def enough(self) -> float:
        """The stake at which it is an alarm, which began as 1."""
        return 2.0 / self.alpha


class Standing(NamedTuple):
    """The state between two looks: bounded by the number of probes, and all of it."""

    looks: int = 0
    wealth: Mapping[str, Wealth] = {}

    def of(self, test: Test) -> float:
        """What a test has won, of its own stake 1."""
        return sum(self.wealth.get(test.key, ()))

    def stake(self, plan: Plan) -> float:
        """What all of it has come to, with the part that is never laid; at most :data:`RICHEST`."""
        won = sum(test.part * self.of(test) for test in plan.tests)
        return min(RICHEST, won + _left(self.looks))


def planned(baseline: Mapping[str, Sequence[float]], *, alpha: float, allowed: float) -> Plan:
    """What to test, by the scores of each probe when the version was accepted. Every probe has at least one score."""
    pooled = [score for scores in baseline.values() for score in scores]
    each = (1.0 - TOGETHER) / len(baseline)
    tests = [
        test
        for probe, scores, part in (
            (ALL, pooled, TOGETHER),
            *((name, found, each) for name, found in baseline.items()),
        )
        for test in _both(probe, scores, part, alpha, allowed)
    ]
    return Plan(alpha, allowed, tuple(tests))


def looked(plan: Plan, standing: Standing, scores: Mapping[str, Sequence[float]]) -> Standing:
    """The standing after one more look. A probe without an answer is left alone, and then all of them together are, too."""
    look = standing.looks + 1
    fresh = _left(standing.looks) - _left(look)
    fewest = min((len(scores.get(test.probe, ())) for test in plan.tests if test.probe != ALL), default=0)
    # NB: of every probe as many: a probe that weighs more than it did would look like a drift.
    together = [score for found in scores.values() for score in found[:fewest]]
    wealth = {}
    for test in plan.tests:
        found = together if test.probe == ALL else scores.get(test.probe, ())
        before = standing.wealth.get(test.key, (0.0,) * len(STAKES))
        held = [one + fresh / len(STAKES) for one in before]
        wealth[test.key] = grown(held, _logs(test, found))
    return Standing(look, wealth)


def _both(probe: str, scores: Sequence[float], part: float, alpha: float, allowed: float) -> Iterator[Test]:
    doubt = log(4.0 / (alpha * part))
    for way in WAYS:
        mean = sum(_turned(way, scores)) / len(scores)
        yield Test(probe, way, mean, lower(mean, len(scores), doubt) - allowed, part / len(WAYS))


def _logs(test: Test, scores: Sequence[float]) -> list[float]:
    """The logarithm of what each bet becomes."""
    if test.least <= 0.0 or not scores:
        return [0.0] * len(STAKES)
    return [
        sum(logs)
        for logs in zip(*(_won(test.least, score) for score in _turned(test.way, scores)), strict=True)
    ]


@lru_cache(maxsize=1 << 12)
def _won(least: float, score: float) -> tuple[float, ...]:
    """The same for one score; nearly all scores of a probe are among a few."""
    return tuple(log1p(stake * (least - score) / (1.0 - least)) for stake in STAKES)


def _turned(way: Way, scores: Sequence[float]) -> Iterator[float]:
    return (score if way == "below" else 1.0 - score for score in scores)


def _left(looks: int) -> float:
    """The part of the stake that isn't laid yet after so many looks."""
    return 1.0 / log2(looks + 2)


def lower(mean: float, n: int, doubt: float) -> float:
    """The least that a mean of ``n`` scores can truly be; wrong with a chance of at most ``exp(-doubt)``."""
    low, high = 0.0, mean
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if n * divergence(mean, middle) > doubt:
            low = middle
        else:
            high = middle
    return low


def divergence(p: float, q: float) -> float:
    """Kullback-Leibler divergence of two coins, in nats; ``q`` is inside (0, 1) or equal to ``p``."""
    first = p * log(p / q) if p > 0.0 else 0.0
    return first + ((1.0 - p) * log((1.0 - p) / (1.0 - q)) if p < 1.0 else 0.0)
