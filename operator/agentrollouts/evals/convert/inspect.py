"""Logs of Inspect, as JSON or read from an archive. A repeat is an epoch.

A sample's score is the mean of its scorers' values, with Inspect's own letters: C is 1, P a half, I and N are 0. A sample that broke counts 0;
Inspect leaves it out of its accuracy, so that may be higher.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from agentrollouts.evals.attempts import Attempt, broken
from agentrollouts.evals.convert.converted import Converted, Foreign, average
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.results import HALF

_LETTERS = MappingProxyType({"C": Decimal(1), "P": HALF, "I": Decimal(0), "N": Decimal(0)})


class _Score(Foreign):
    value: Any


class _Error(Foreign):
    message: str


class _Sample(Foreign):
    id: int | str
    epoch: int
    scores: Mapping[str, _Score] | None = None
    error: _Error | None = None


class _Log(Foreign):
    status: str
    samples: list[_Sample] | None = None


def convert(value: Any) -> Converted:
    """Attempts by sample, in the order of epochs.

    Raises:
        ValidationError: it is no such log.
        InputError: it has no samples, or a scorer's value isn't one number.
    """
    log = _Log.model_validate(value)
    if not log.samples:
        raise InputError("expected a log with its samples; got none. Was it written with --no-log-samples?")
    ordered = sorted(log.samples, key=lambda sample: sample.epoch)
    return Converted(tuple(map(_attempt, ordered)), partial=log.status != "success")


def _attempt(sample: _Sample) -> Attempt:
    name = str(sample.id)
    if sample.error is not None:
        return broken(name, sample.error.message)
    if not sample.scores:
        return broken(name, "no scorer spoke")
    score = average([_number(name, scorer, each.value) for scorer, each in sample.scores.items()])
    return Attempt(name, score, score >= HALF)


def _number(sample: str, scorer: str, value: Any) -> Decimal:
    if isinstance(value, str) and value in _LETTERS:
        return _LETTERS[value]
    if isinstance(value, (bool, int, Decimal)):
        return Decimal(value)
    raise InputError(
        f"expected a number or one of C, P, I, N; scorer {scorer!r} gave sample {sample!r} {str(value)[:80]}"
    )
