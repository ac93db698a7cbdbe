"""A trial as text, for the status: short, exact to the last bit, and refused whole when any of it was damaged.

A digit that was lost would still be a number, so the text begins with a checksum. It is one against accidents: who may write
the status may write evidence.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any
from zlib import crc32

from agentrollouts.core.sequential.capped import CappedCost
from agentrollouts.core.sequential.confidence import MARGINS, Confidence, Side
from agentrollouts.core.sequential.latency import Latency
from agentrollouts.core.sequential.measure import Block, Course, Measure
from agentrollouts.core.sequential.mix import Mix
from agentrollouts.core.sequential.split import Split
from agentrollouts.core.sequential.trial import Cohorts, Criterion, Sides, Trial
from agentrollouts.core.sequential.units import Units

SOME = Block(100.0, {})
CHECKSUM = 8


def written(trial: Trial) -> str:
    """The trial as text."""
    parts = {
        "seen": [[[side.n, dict(side.sums)] for side in sides] for sides in trial.seen],
        "courses": [
            [course.blocks, course.against, course.favour, dict(course.memory), dict(course.fixed)]
            for course in trial.courses
        ],
        "alike": trial.alike,
        "apart": trial.apart,
        "alone": trial.alone,
        "split": trial.split,
        "assigned": trial.assigned,
        "confidence": trial.confidence,
    }
    body = json.dumps(parts, separators=(",", ":"))
    return _checksum(body) + body


def read(text: str, criteria: Sequence[Criterion]) -> Trial | None:
    """The trial that was written; None if these criteria can't go on with it, or it isn't one at all.

    Criteria of the same kinds with other numbers can go on with it; whether they may is for the caller to know.
    """
    try:
        if _checksum(text[CHECKSUM:]) != text[:CHECKSUM]:
            return None
        trial = _trial(json.loads(text[CHECKSUM:], parse_constant=_refused))
        return trial if _fits(trial, criteria) else None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


def _checksum(body: str) -> str:
    return f"{crc32(body.encode()):0{CHECKSUM}x}"


def _fits(trial: Trial, criteria: Sequence[Criterion]) -> bool:
    """Raises what its measure raises where a course isn't one of it."""
    return (
        len(trial.seen) == len(trial.courses) == len(trial.alone) == len(criteria)
        and len(trial.assigned) == len(Cohorts._fields)
        and len(trial.split.shares) == len(trial.split.assigned)
        and all(
            _goes_on(criterion.measure, course)
            for criterion, course in zip(criteria, trial.courses, strict=True)
        )
    )


def _goes_on(measure: Measure, course: Course) -> bool:
    """Whether a course is one of this measure: it remembers the same things, and another block can be folded into it."""
    measure.folded(course, SOME, SOME)
    mine = measure.begun(Block(0.0, {})).memory.keys()
    open_ended = isinstance(
        measure, (CappedCost, Latency, Mix)
    )  # they remember an amount for each name as well
    return mine <= course.memory.keys() if open_ended else mine == course.memory.keys()


def _trial(parts: Any) -> Trial:
    won, shares, counted = parts["split"]
    worse, better = _numbers(parts["alike"])
    return Trial(
        seen=tuple(Sides(*(Block(_number(n), _sums(sums)) for n, sums in sides)) for sides in parts["seen"]),
        courses=tuple(_course(course) for course in parts["courses"]),
        alike=(worse, better),
        apart=_flag(parts["apart"]),
        alone=tuple(_flag(part) for part in parts["alone"]),
        split=Split(_number(won), _numbers(shares), _numbers(counted)),
        assigned=_numbers(parts["assigned"]),
        confidence=_confidence(parts["confidence"]),
    )


def _confidence(parts: Any) -> Confidence:
    above, below, candidate, old, (new, beside, rest), apart = parts
    waiting = (_units(new), _units(beside), _units(rest))
    return Confidence(_side(above), _side(below), _units(candidate), _units(old), waiting, _flag(apart))


def _side(parts: Any) -> Side:
    won, most = (_numbers(part) for part in parts)
    if not len(won) == len(most) == len(MARGINS):
        raise ValueError(f"expected {len(MARGINS)} margins, got {len(won)} and {len(most)}")
    return Side(won, most)


def _units(parts: Any) -> Units:
    n, total, squares = _numbers(parts)
    return Units(n, total, squares)


def _course(parts: Any) -> Course:
    blocks, against, favour, memory, fixed = parts
    return Course(
        int(blocks),
        tuple(_numbers(part) for part in against),
        tuple(_numbers(part) for part in favour),
        _sums(memory),
        _sums(fixed),
    )


def _sums(parts: Any) -> dict[str, float]:
    return {str(name): _number(amount) for name, amount in parts.items()}


def _numbers(parts: Any) -> tuple[float, ...]:
    return tuple(_number(part) for part in parts)


def _number(part: Any) -> float:
    if isinstance(part, bool) or not isinstance(part, (int, float)) or not math.isfinite(part):
        raise ValueError(f"expected a number, got {part!r}")
    return float(part)


def _flag(part: Any) -> bool:
    if not isinstance(part, bool):
        raise TypeError(f"expected true or false, got {part!r}")
    return part


def _refused(name: str) -> float:
    raise ValueError(f"expected a number, got {name}")
