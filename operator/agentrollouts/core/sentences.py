"""What a trial has seen of one criterion, in a sentence: both sides' numbers and their difference."""

from __future__ import annotations

from agentrollouts.core.criteria import Rule
from agentrollouts.core.sequential.cost import Cost
from agentrollouts.core.sequential.latency import Latency, edges
from agentrollouts.core.sequential.limit import Limit
from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.mix import Mix, distance
from agentrollouts.core.sequential.trial import Sides


def told(rule: Rule, seen: Sides, course: Course, *, apart: bool) -> str:
    """The sums so far. ``apart``: the control cohort alone is the comparator."""
    new, old = seen.candidate, seen.control if apart else seen.old
    match rule.measure:
        case Limit(most):
            return f"{rule.what} {_percent(_mean(new))} of {new.n:.0f}, at most {_percent(most)}"
        case _ if old.n < 1.0 or new.n < 1.0:
            return f"{new.n:.0f} sessions against {old.n:.0f}"
        case Mix(tolerance):
            moved = distance(new.sums, old.sums, (new.n, old.n))
            return f"{rule.what} {_percent(moved)} apart over {_sessions(new, old)}, tolerated {_percent(tolerance)}"
        case Latency():
            return _slower(new, old, course)
        case Cost():
            return _dearer(rule.what, new, old)
        case _:
            return _points(rule.what, new, old)


def _points(what: str, new: Block, old: Block) -> str:
    mean, usual = _mean(new), _mean(old)
    return (
        f"{what} {_percent(mean)} of {new.n:.0f} sessions against {_percent(usual)} of {old.n:.0f}:"
        f" {(mean - usual) * 100:+.1f} points"
    )


def _dearer(what: str, new: Block, old: Block) -> str:
    mean, usual = _mean(new), _mean(old)
    change = f"{(mean / usual - 1.0) * 100:+.1f}%" if usual > 0.0 else "the old version has none"
    return f"{what} {mean:.4g} of the cap against {usual:.4g}, over {_sessions(new, old)}: {change}"


def _slower(new: Block, old: Block, course: Course) -> str:
    """The edge with the largest excess over what is tolerated there."""
    excess = {
        edge: (_above(new, edge) - _above(old, edge)) - course.fixed[edge] for edge in edges(course.fixed)
    }
    if not excess:
        return f"the histogram can't tell latencies apart yet, over {_sessions(new, old)}"
    edge = max(excess, key=lambda name: excess[name])
    return (
        f"slower than {edge} s {_percent(_above(new, edge))} against {_percent(_above(old, edge))}, tolerated"
        f" {course.fixed[edge] * 100:+.1f} points, over {_sessions(new, old)}"
    )


def _above(block: Block, edge: str) -> float:
    return 1.0 - block.sums.get(edge, 0.0) / block.n


def _mean(block: Block) -> float:
    return block.sums.get("total", 0.0) / block.n if block.n else 0.0


def _sessions(new: Block, old: Block) -> str:
    return f"{new.n:.0f} sessions against {old.n:.0f}"


def _percent(fraction: float) -> str:
    return f"{fraction * 100:.1f}%"
