"""One case done once. Tools and our own runs come to lists of these, and these to results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agentrollouts.evals.results import Case, Results, case_of, of_cases


@dataclass(frozen=True, slots=True)
class Attempt:
    """``score`` is from 0 to 1; with an ``error`` it is 0, and the repeat didn't pass."""

    id: str
    score: Decimal
    passed: bool
    error: str | None = None
    tags: tuple[str, ...] = ()


def broken(name: str, error: str, *, tags: tuple[str, ...] = ()) -> Attempt:
    """An attempt without an answer: as bad as a wrong one, and told apart from it."""
    return Attempt(name, Decimal(0), passed=False, error=error, tags=tags)


def results_of(attempts: Iterable[Attempt], *, repeats: int = 0, **about: Any) -> Results:
    """Results of these attempts: those of one id are the repeats of one case. ``about`` are fields of the results.

    ``repeats`` is how many there should be of each; unless given, as many as the case with the most has.

    Raises:
        InputError: the cases have different numbers of repeats, or a score isn't from 0 to 1.
    """
    found: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        found.setdefault(attempt.id, []).append(attempt)
    cases = [_case(name, each) for name, each in found.items()]
    return of_cases(cases, repeats=repeats or max(1, *map(len, found.values())), **about)


def _case(name: str, attempts: Sequence[Attempt]) -> Case:
    errors = dict.fromkeys(attempt.error for attempt in attempts if attempt.error)
    return case_of(
        name,
        scores=[attempt.score for attempt in attempts],
        passed=[attempt.passed for attempt in attempts],
        error="; ".join(errors) or None,
        tags=list(attempts[0].tags),
    )
