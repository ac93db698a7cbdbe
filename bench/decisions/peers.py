"""How others decide, from their documentation: rules that count failed checks or compare windows.

Each is given what it is best at: limits of 95 % that fit the rate of most scenarios, and Argo's and Kayenta's usual pace. They
count tasks, as they would. None is a port; what a real installation does depends on how it is configured.

* Argo Rollouts, Analysis: a measurement every five minutes, an unlimited number of them may pass, ``failureLimit`` may fail.
* Flagger, metrics analysis: a check a minute, ``threshold`` failed ones in all are a rollback, each good one a larger share.
* Two simple loops as they are often written by hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from bench.decisions.rollouts import Answer, Look, Rule

LEAST = 0.95
"""The success rate that is enough, where a fixed one is asked for."""
PACE = (15, 30, 60)
"""Ticks that rules without evidence of their own stay in a step."""
EVERY = 5
"""Ticks from one measurement to the next, and how far back it looks."""
CANDIDATE, CONTROL = 0, 1


class Gained(NamedTuple):
    """Tasks and successes in a window, by cohort."""

    tasks: Sequence[float]
    successes: Sequence[float]

    def rate(self, cohort: int) -> float:
        """The success rate; 0 without a task."""
        return self.successes[cohort] / max(self.tasks[cohort], 1.0)

    @property
    def is_low(self) -> bool:
        """Whether the candidate misses the fixed limit."""
        n = self.tasks[CANDIDATE]
        return n > 0.0 and self.successes[CANDIDATE] < LEAST * n


class Window:
    """The last so many ticks."""

    def __init__(self, ticks: int) -> None:
        self._seen: deque[Gained] = deque(maxlen=ticks + 1)

    def after(self, look: Look) -> Gained:
        """With another look; before there are enough, all since the start."""
        now = Gained(tuple(look.tasks), tuple(look.successes))
        self._seen.append(now)
        return since(self._seen[0], now)


class Clock:
    """Ticks in this step, the present one included."""

    def __init__(self) -> None:
        self._step, self._ticks = 0, 0

    def is_over(self, look: Look) -> bool:
        """Whether the step has had its time."""
        if look.tick < 0:
            return False
        self._ticks = self._ticks + 1 if look.step == self._step else 1
        self._step = look.step
        return self._ticks >= PACE[look.step]


def since(then: Gained, now: Gained) -> Gained:
    """What came in between."""
    return Gained(
        [new - old for new, old in zip(now.tasks, then.tasks, strict=True)],
        [new - old for new, old in zip(now.successes, then.successes, strict=True)],
    )


def argo(failure_limit: int) -> Rule:
    """More than ``failure_limit`` measurements below the limit are a rollback; time does the rest."""
    window, clock, failed = Window(EVERY), Clock(), 0

    def rule(look: Look) -> Answer:
        nonlocal failed
        gained, over = window.after(look), clock.is_over(look)
        failed += look.tick % EVERY == EVERY - 1 and look.tick >= 0 and gained.is_low
        if failed > failure_limit:
            return "rollback"
        return "advance" if over else "hold"

    return rule


def flagger(threshold: int = 5) -> Rule:
    """``threshold`` checks below the limit are a rollback; the share grows by good ones, four, six and two to a step."""
    window, failed, good, step = Window(1), 0, 0, 0

    def rule(look: Look) -> Answer:
        nonlocal failed, good, step
        gained = window.after(look)
        if look.step != step:
            step, good = look.step, 0
        if gained.is_low:
            failed += 1
            return "rollback" if failed >= threshold else "hold"
        good += gained.tasks[CANDIDATE] > 0.0
        return "advance" if good >= (4, 6, 2)[look.step] else "hold"

    return rule


def error_bands() -> Rule:
    """Each twenty tasks: more than 15 % failed is a rollback, less than 5 % the next step."""
    mark: Gained | None = None

    def rule(look: Look) -> Answer:
        nonlocal mark
        now = Gained(tuple(look.tasks), tuple(look.successes))
        gained = since(mark or now, now)
        n = gained.tasks[CANDIDATE]
        if mark is None or n >= 20.0:
            mark = now
        if n < 20.0:
            return "hold"
        failed = n - gained.successes[CANDIDATE]
        if failed > 0.15 * n:
            return "rollback"
        return "advance" if failed < 0.05 * n else "hold"

    return rule


def three_in_a_row() -> Rule:
    """Three measurements in a row five points below the control cohort are a rollback; time does the rest."""
    window, clock, failed = Window(EVERY), Clock(), 0

    def rule(look: Look) -> Answer:
        nonlocal failed
        gained, over = window.after(look), clock.is_over(look)
        if look.tick >= 0 and look.tick % EVERY == EVERY - 1:
            both = min(gained.tasks[CANDIDATE], gained.tasks[CONTROL]) > 0.0
            failed = failed + 1 if both and gained.rate(CANDIDATE) < gained.rate(CONTROL) - 0.05 else 0
        if failed >= 3:
            return "rollback"
        return "advance" if over and not failed else "hold"

    return rule
