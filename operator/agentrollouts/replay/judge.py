"""Whether a candidate decides otherwise than the incumbent more often than it may. A function of values.

Held against the limit is the candidate's share of changed decisions minus the incumbent's own: an agent that answers differently each time is no
changed agent. Both are counted on the same tasks, and the interval is of the paired difference (``interval``).

FAIL: the whole interval lies above the limit. PASS: none of it does. In between, and where the incumbent can't repeat its own record,
INCONCLUSIVE: a task that the incumbent changes, too, can't show a change of the candidate's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agentrollouts.core.checks.result import Verdict
from agentrollouts.core.statistics import Interval
from agentrollouts.replay.disagreement import Compared, pairs
from agentrollouts.replay.interval import Pairs, excess, share, tasks_needed


@dataclass(frozen=True, slots=True)
class Limits:
    """Fractions. ``disagreement`` is what may be changed beyond the incumbent's own share, ``noise`` how large that may be."""

    disagreement: float
    noise: float = 0.5


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the replay says and goes by. ``needed``: about how many tasks would tell, None where they needn't or can't.

    ``excess``, ``candidate`` and ``incumbent`` are None without any task. ``between``: tasks in which the lanes differ from each other.
    """

    verdict: Verdict
    message: str
    pairs: Pairs
    excess: Interval | None = None
    candidate: Interval | None = None
    incumbent: Interval | None = None
    both: int = 0
    between: int = 0
    needed: int | None = None


def judge(tasks: Sequence[Compared], limits: Limits) -> Judgement:
    """The verdict over every task that both lanes have finished."""
    counted = pairs(tasks)
    if not counted.n:
        return Judgement(
            Verdict.INCONCLUSIVE,
            "no task could be replayed: the source has none that can be done again",
            counted,
        )
    both = sum(task.by_candidate.changed and task.by_incumbent.changed for task in tasks)
    found = excess(counted)
    own = share(counted.only_incumbent + both, counted.n)
    verdict, needed = _verdict(counted, found, own, limits)
    return Judgement(
        verdict=verdict,
        message=_message(verdict, found, own, limits, n=counted.n, needed=needed),
        pairs=counted,
        excess=found,
        candidate=share(counted.only_candidate + both, counted.n),
        incumbent=own,
        both=both,
        between=sum(task.between.changed for task in tasks),
        needed=needed,
    )


def _verdict(counted: Pairs, found: Interval, own: Interval, limits: Limits) -> tuple[Verdict, int | None]:
    if found.low > limits.disagreement:
        return Verdict.FAIL, None
    if own.estimate > limits.noise:
        return Verdict.INCONCLUSIVE, None
    if found.high <= limits.disagreement:
        return Verdict.PASS, None
    return Verdict.INCONCLUSIVE, tasks_needed(counted, limits.disagreement)


def _message(
    verdict: Verdict, found: Interval, own: Interval, limits: Limits, *, n: int, needed: int | None
) -> str:
    limit = percent(limits.disagreement)
    lies = (
        f"{percent(found.estimate)} more decisions changed than the incumbent's own {percent(own.estimate)}, over {n} tasks; "
        f"between {percent(found.low)} and {percent(found.high)} (95% interval)"
    )
    match verdict:
        case Verdict.PASS:
            return f"{lies}: at most the {limit} that may be"
        case Verdict.FAIL:
            return f"{lies}: more than the {limit} that may be"
    if own.estimate > limits.noise:
        return (
            f"the incumbent itself changed {percent(own.estimate)} of {n} recorded decisions, more than {percent(limits.noise)}: too much for a "
            "candidate's changes to show. Record tasks of the version in use, and compare by what stays the same (--compare, --answer)"
        )
    told = (
        f"about {needed} tasks would tell, if it stays as it is"
        if needed
        else "no number of tasks would tell"
    )
    return f"{lies}: it isn't shown on which side of {limit} it lies; {told}"


def percent(share_: float) -> str:
    """``2.5%``."""
    return f"{share_ * 100:z.1f}%"
