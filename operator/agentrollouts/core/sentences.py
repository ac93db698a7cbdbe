"""What a trial has seen of one criterion, in a sentence: both sides' numbers and their difference.

Numbers are for people: as many digits as say something, no exponents, and no minus in front of nothing.
"""

from __future__ import annotations

from agentrollouts.core.checks.result import percent
from agentrollouts.core.criteria import Rule
from agentrollouts.core.sequential import capped
from agentrollouts.core.sequential.capped import CappedCost
from agentrollouts.core.sequential.confidence import Confidence
from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.latency import Latency, edges
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.mix import Mix, distance
from agentrollouts.core.sequential.remembered import ENOUGH
from agentrollouts.core.sequential.shorter import Shorter
from agentrollouts.core.sequential.trial import Sides

ERROR = 0.05
"""How often an interval may miss the difference, over the whole rollout."""
HUGE = 1e6


def told(
    rule: Rule, seen: Sides, course: Course, *, apart: bool, confidence: Confidence | None = None
) -> str:
    """The sums so far. ``apart``: the control cohort alone is the comparator. ``confidence``: of a difference that has one."""
    new, old = seen.candidate, seen.control if apart else seen.old
    match rule.measure:
        case Limit(most):
            return f"{rule.what} {percent(_mean(new))} of {new.n:.0f}, at most {percent(most)}"
        case _ if old.n < 1.0 or new.n < 1.0:
            return _sessions(new, old)
        case Mix(tolerance):
            moved = distance(new.sums, old.sums, (new.n, old.n))
            return f"{rule.what} {percent(moved)} apart over {_sessions(new, old)}, tolerated {percent(tolerance)}"
        case Latency():
            return _slower(new, old, course)
        case CappedCost():
            return _dearer_in_dollars(rule.what, new, old, course)
        case Cost() | Shorter():
            return _dearer(rule.what, new, old)
        case _:
            return _points(rule.what, new, old) + _interval(confidence)


def amount(evidence: float) -> str:
    """An e-value: one decimal below a hundred, none above, and of a million nobody wants to know more."""
    if evidence >= HUGE:
        return "over a million"
    return f"{evidence:,.1f}".removesuffix(".0") if evidence < 99.95 else f"{evidence:,.0f}"


def _points(what: str, new: Block, old: Block) -> str:
    mean, usual = _mean(new), _mean(old)
    return (
        f"{what} {percent(mean)} of {new.n:.0f} sessions against {percent(usual)} of {old.n:.0f}:"
        f" {_signed((mean - usual) * 100)} points"
    )


def _interval(confidence: Confidence | None) -> str:
    """Behind a difference, once there is anything to say: where it lies, or that it isn't one."""
    if confidence is None:
        return ""
    ends = confidence.interval(ERROR)
    if ends is None:
        return ", and it changed on the way"
    low, high = ends
    return f" [{_signed(low * 100)}, {_signed(high * 100)}]" if (low, high) != (-1.0, 1.0) else ""


def _dearer(what: str, new: Block, old: Block) -> str:
    mean, usual = _mean(new), _mean(old)
    part = f"{_figures(mean * 100)}% of the cap against {_figures(usual * 100)}%"
    return f"{what} {part}, over {_sessions(new, old)}: {_change(mean, usual)}"


def _dearer_in_dollars(what: str, new: Block, old: Block, course: Course) -> str:
    cap = capped.settled(course)
    if cap is None:
        return _unsettled("cost", course)
    mean, usual = (_mean(capped.narrowed(side, cap)) for side in (new, old))
    part = (
        f"${_figures(mean * float(cap))} a task against ${_figures(usual * float(cap))}, each cut at ${cap}"
    )
    return f"{what} {part}, over {_sessions(new, old)}: {_change(mean, usual)}"


def _change(mean: float, usual: float) -> str:
    return f"{_signed((mean / usual - 1.0) * 100)}%" if usual > 0.0 else "the old version has none"


def _unsettled(what: str, course: Course) -> str:
    known = min(course.memory["n"], ENOUGH)
    return f"{what} can be judged from {ENOUGH:.0f} sessions of the old version on, {known:.0f} are known"


def _slower(new: Block, old: Block, course: Course) -> str:
    """The edge with the largest excess over what is tolerated there."""
    if not course.fixed:
        return _unsettled("latency", course)
    excess = {
        edge: (_above(new, edge) - _above(old, edge)) - course.fixed[edge]
        for edge in edges(course.fixed)
        if edge in new.sums and edge in old.sums
    }
    if not excess:
        return f"the histogram has no edge that tells the latencies apart, over {_sessions(new, old)}"
    edge = max(excess, key=lambda name: excess[name])
    return (
        f"slower than {edge} s {percent(_above(new, edge))} against {percent(_above(old, edge))}, tolerated"
        f" {_signed(course.fixed[edge] * 100)} points, over {_sessions(new, old)}"
    )


def _above(block: Block, edge: str) -> float:
    return 1.0 - block.sums[edge] / block.n


def _mean(block: Block) -> float:
    return block.sums.get("total", 0.0) / block.n if block.n else 0.0


def _sessions(new: Block, old: Block) -> str:
    return f"{new.n:.0f} sessions against {old.n:.0f}"


def _signed(number: float) -> str:
    """With one decimal and a sign; 0.0 where nothing is left of it."""
    found = f"{number:+.1f}"
    return "0.0" if found in {"+0.0", "-0.0"} else found


def _figures(number: float) -> str:
    """Three significant digits."""
    return f"{float(f'{number:.3g}'):.8f}".rstrip("0").rstrip(".")
