"""A trial as text, for the status: short, exact to the last bit, and refused whole when any of it can't be read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from agentrollouts.core.sequential.measure import Block, Course
from agentrollouts.core.sequential.split import Split
from agentrollouts.core.sequential.trial import Criterion, Sides, Trial


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
    }
    return json.dumps(parts, separators=(",", ":"))


def read(text: str, criteria: Sequence[Criterion]) -> Trial | None:
    """The trial that was written; None if it isn't one of these criteria, or isn't one at all."""
    try:
        parts = json.loads(text, parse_constant=_refused)
        trial = _trial(parts)
    except (ArithmeticError, AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return None
    return trial if len(trial.courses) == len(trial.seen) == len(criteria) else None


def _trial(parts: Any) -> Trial:
    won, shares, counted = parts["split"]
    worse, better = _numbers(parts["alike"])
    return Trial(
        seen=tuple(Sides(*(Block(_number(n), _sums(sums)) for n, sums in sides)) for sides in parts["seen"]),
        courses=tuple(_course(course) for course in parts["courses"]),
        alike=(worse, better),
        apart=parts["apart"] is True,
        split=Split(_number(won), _numbers(shares), _numbers(counted)),
        assigned=_numbers(parts["assigned"]),
    )


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


def _refused(name: str) -> float:
    raise ValueError(f"expected a number, got {name}")
