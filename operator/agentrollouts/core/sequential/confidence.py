"""For people: how much better or worse the candidate is, as an interval that holds at every look at once. It decides nothing.

Turner and Grünwald, Exact anytime-valid confidence intervals for contingency tables and beyond (arXiv:2203.09785): a margin
belongs to the interval until a test of its own rejects it. Of each margin of a grid two are tested, that the difference is at
least that and that it is at most that, each at half the error. Ends are margins of the grid, so the interval is a little wider
than it could be and never narrower.

A block is closed once the candidate's sessions have grown by a tenth. That depends on counts only, never on how they went, so
it is as valid as any other block, and a rollout of any length costs some hundred blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf, log
from typing import NamedTuple

from agentrollouts.core.sequential.evalue import Bet, Pair, log_good, log_worse
from agentrollouts.core.sequential.memory import REMEMBERED, Memory, failing_part
from agentrollouts.core.sequential.units import Units

_STEPS = (
    0.5,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
    4.0,
    5.0,
    6.0,
    8.0,
    10.0,
    12.5,
    15.0,
    20.0,
    25.0,
    30.0,
    40.0,
    50.0,
    70.0,
    90.0,
)
"""In points: finest where people ask whether there is a difference at all."""
MARGINS = (*[-step / 100.0 for step in reversed(_STEPS)], 0.0, *[step / 100.0 for step in _STEPS])
"""Differences of the success rates, candidate less old, in growing order."""
GROWTH = 0.1
"""By this part the candidate's sessions have to grow until the next block."""
SUREST = 0.001
"""The least error an interval can be had for: what is rejected at half of it, no bets are laid on any more."""
DOUBT = 2.0
"""Sessions as good as the old version's that the candidate is taken to have had, so that its first one isn't its rate."""
LEAPS = (0.02, 0.10, 0.30, 0.70)
"""Differences beyond a margin that are bet on while little is known."""
LOWEST, HIGHEST = 0.005, 0.995

Logs = tuple[float, ...]
_NONE: Logs = (0.0,) * len(MARGINS)


class Side(NamedTuple):
    """The tests of all margins in one direction."""

    won: Logs = _NONE
    """By margin: the logarithm of the evidence against it."""
    most: Logs = _NONE
    """By margin: the most it ever was. A margin that has been rejected stays so."""

    def after(self, logs: Logs) -> Side:
        """With one more block, whose e-values have these logarithms."""
        won = tuple([before + new for before, new in zip(self.won, logs, strict=True)])
        return Side(won, tuple([max(pair) for pair in zip(self.most, won, strict=True)]))

    def rejected(self, alpha: float) -> list[float]:
        """The margins that are out at ``alpha / 2``, in growing order."""
        enough = log(2.0 / alpha)
        return [margin for margin, most in zip(MARGINS, self.most, strict=True) if most >= enough]


class Confidence(NamedTuple):
    """The state between two blocks: bounded, and all of it."""

    above: Side = Side()
    """Against "at least so much better", for each margin: what bounds the difference from above."""
    below: Side = Side()
    """Against "at most so much better": what bounds it from below."""
    candidate: Units = Units()
    """The candidate's sessions in all closed blocks. They and the old version's choose the bets."""
    old: Units = Units()
    waiting: tuple[Units, Units, Units] = (Units(), Units(), Units())
    """What candidate, control and stable had since the last closed block."""
    apart: bool = False
    """Whether the control cohort alone is compared with; settled before the block."""

    @classmethod
    def begun(cls, history: Units) -> Confidence:
        """At the start, with what the old version did before; it tells no more than would be remembered."""
        share = min(1.0, REMEMBERED / history.n) if history.n > 0.0 else 0.0
        return cls(old=Units(history.n * share, history.total * share, history.squares * share))

    def after(self, candidate: Units, control: Units, stable: Units, *, apart: bool) -> Confidence:
        """With the units of one more block of the trial; ``apart``: control and stable have been found to differ."""
        gained = zip(self.waiting, (candidate, control, stable), strict=True)
        new, beside, rest = (before.plus(more) for before, more in gained)
        old = beside if self.apart else beside.plus(rest)
        if new.n < max(1.0, GROWTH * self.candidate.n) or old.n < 1.0:
            return self._replace(waiting=(new, beside, rest))
        above, below = self._logs(new, old)
        return Confidence(
            self.above.after(above),
            self.below.after(below),
            self.candidate.plus(new),
            self.old.plus(old),
            apart=apart,
        )

    def interval(self, alpha: float) -> tuple[float, float] | None:
        """(low, high) of the difference, candidate less old, from -1 to 1; wrong at any moment ever with chance ``alpha``.

        None where no difference fits all blocks: it changed on the way. Raises ValueError for an ``alpha`` below ``SUREST``
        or not below 1.
        """
        if not SUREST <= alpha < 1.0:
            raise ValueError(f"expected an error from {SUREST:g} to below 1, got {alpha:g}")
        low = max(self.below.rejected(alpha), default=-1.0)
        high = min(self.above.rejected(alpha), default=1.0)
        return (low, high) if low < high else None

    def _logs(self, new: Units, old: Units) -> tuple[Logs, Logs]:
        """The logarithms of a block's e-values, by margin: against "at least" and against "at most"."""
        pair = Pair.of(new, old)
        sides = (pair, pair.turned)
        # NB: who is better by more than a margin is better by every smaller one; those needn't be tested any more.
        highest = min(self.above.rejected(SUREST), default=inf)
        lowest = max(self.below.rejected(SUREST), default=-inf)
        expects = self._expects(new.n)
        less = [_less(one, expects(one, -1.0), sides) if one < highest else 0.0 for one in MARGINS]
        more = [_more(one, expects(one, 1.0), sides) if one > lowest else 0.0 for one in MARGINS]
        return tuple(less), tuple(more)

    def _expects(self, sessions: float) -> Callable[[float, float], list[Bet]]:
        """The bets on a block of so many of the candidate's sessions, by margin and by the side of it to bet on.

        The rates so far, the candidate's drawn to the old version's; failing sessions are as large as they were. Where a block
        has more sessions than all before it, little is known of what it brings: then several differences beyond the margin, too.
        """
        bad, worse = self.old.rest(), self.candidate.rest()
        failing = (bad.total + worse.total, bad.squares + worse.squares)
        memory = Memory(self.old.n, self.old.total, *failing)
        usual, part = memory.rate, memory.part

        def bet(rate: float) -> Bet:
            rate = min(HIGHEST, max(LOWEST, rate))
            return Bet(rate, usual, failing_part(part, 1.0 - min(rate, usual)))

        known = bet((self.candidate.total + DOUBT * usual) / (self.candidate.n + DOUBT))
        leaps = LEAPS if sessions > self.candidate.n else ()
        return lambda margin, way: [known, *[bet(usual + margin + way * leap) for leap in leaps]]


Sides = tuple[Pair, Pair]
"""A block as it is, and with the two versions in each other's place."""


def _less(margin: float, bets: Sequence[Bet], sides: Sides) -> float:
    """Against "the candidate succeeds at least ``margin`` more often"; a negative margin is less often."""
    if margin > 0.0:
        return _mean([log_good(_turned(bet), margin, sides[1]) for bet in bets])
    return _mean([log_worse(bet, -margin, sides[0]) for bet in bets])


def _more(margin: float, bets: Sequence[Bet], sides: Sides) -> float:
    """Against "the candidate succeeds at most ``margin`` more often"."""
    if margin > 0.0:
        return _mean([log_worse(_turned(bet), margin, sides[1]) for bet in bets])
    return _mean([log_good(bet, -margin, sides[0]) for bet in bets])


def _turned(bet: Bet) -> Bet:
    return Bet(bet.old, bet.candidate, bet.size)


def _mean(logs: Sequence[float]) -> float:
    """The logarithm of the mean of e-values, from theirs."""
    most = max(logs)
    return most + log(sum([exp(one - most) for one in logs]) / len(logs)) if len(logs) > 1 else most
