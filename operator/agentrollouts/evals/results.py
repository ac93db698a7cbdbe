"""What an evaluation came to, in one form whatever tool ran it.

::

    {"schema": "agentrollouts.io/eval-results/v1", "mean_score": 0.875, "repeats": 2,
     "cases": [{"id": "refund", "scores": [1, 0.5]}, {"id": "greeting", "scores": [1, 1]}]}

Scores are from 0 (worst) to 1 (best). They are read as the decimals that are written and compared as fractions, so that 0.9 - 0.85 is
0.05 and not a little more. A file without ``schema`` needs nothing but ``mean_score``; what else it holds at its top is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from agentrollouts.evals.errors import InputError

SCHEMA: Literal["agentrollouts.io/eval-results/v1"] = "agentrollouts.io/eval-results/v1"
ROUNDING = Fraction(1, 20_000)
"""How far ``mean_score`` may be from the mean of the cases: half a unit of the fourth decimal."""
HALF = Decimal("0.5")
_DIGITS = 12
_PLACES = 400  # a double never has more that count, and beyond them a fraction would fill the memory


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError("expected a number from 0 to 1")  # noqa: TRY004 - pydantic reports a ValueError with its place
    return Decimal(value)


Score = Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=1, decimal_places=_PLACES)]
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Case(_Part):
    """One task of the dataset, done once a repeat.

    ``passed`` is what the tool said of each repeat. Where it said nothing, a repeat passes with a score of at least a half.
    """

    id: Annotated[str, Field(min_length=1)]
    scores: list[Score]
    passed: list[bool] | None = None
    error: str | None = None
    tags: list[str] = []

    @model_validator(mode="after")
    def _one_for_each_repeat(self) -> Self:
        if self.passed is not None and len(self.passed) != len(self.scores):
            raise ValueError(
                f"expected as many of passed as of scores: {len(self.scores)}; got {len(self.passed)}"
            )
        return self

    @property
    def mean(self) -> Fraction:
        """Mean over the repeats. Raises ZeroDivisionError without any, which only partial results have."""
        return mean(self.scores)

    @property
    def passes(self) -> tuple[bool, ...]:
        """Whether each repeat passed."""
        return (
            tuple(self.passed) if self.passed is not None else tuple(score >= HALF for score in self.scores)
        )


class Results(_Part):
    """One evaluation of one version. ``partial``: it was interrupted, and cases or repeats are missing."""

    schema_: Annotated[Literal["agentrollouts.io/eval-results/v1"] | None, Field(alias="schema")] = None
    agent: str | None = None
    version: str | None = None
    artifact_digest: Digest | None = None
    dataset_digest: Digest | None = None
    partial: bool = False
    mean_score: Score
    repeats: Annotated[int, Field(ge=1)] = 1
    cases: Annotated[list[Case], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.cases is None:
            return self
        _each_once(self.cases)
        if not self.partial:
            _all_repeats(self.cases, self.repeats)
        found = mean_of(self.cases)
        if abs(found - Fraction(self.mean_score)) > ROUNDING:
            raise ValueError(
                f"expected mean_score to be the mean of the cases, {decimal(found):.4f}; got {self.mean_score}"
            )
        return self

    @property
    def score(self) -> Fraction:
        """The exact mean of the cases; ``mean_score`` itself where there are none."""
        return mean_of(self.cases) if self.cases else Fraction(self.mean_score)


def _each_once(cases: Sequence[Case]) -> None:
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise ValueError(f"expected every case once; got {case.id!r} twice")
        seen.add(case.id)


def _all_repeats(cases: Sequence[Case], repeats: int) -> None:
    for case in cases:
        if len(case.scores) != repeats:
            raise ValueError(
                f"expected a score for each of {repeats} repeats (repeats); case {case.id!r} has {len(case.scores)}"
            )


def mean(scores: Sequence[Decimal]) -> Fraction:
    """Exact mean. Raises ZeroDivisionError for none."""
    return sum(map(Fraction, scores), Fraction(0)) / len(scores)


def mean_of(cases: Iterable[Case]) -> Fraction:
    """Exact mean over cases, each weighing the same; 0 where nothing has been done yet."""
    means = [case.mean for case in cases if case.scores]
    return sum(means, Fraction(0)) / len(means) if means else Fraction(0)


def decimal(value: Fraction) -> Decimal:
    """A fraction to 28 digits, for people and files."""
    return Decimal(value.numerator) / Decimal(value.denominator)


def case_of(name: str, **fields: Any) -> Case:
    """One case.

    Raises:
        InputError: its fields don't fit, such as a score that isn't from 0 to 1.
    """
    try:
        return Case.model_validate({"id": name, **fields})
    except ValidationError as error:
        raise InputError(f"case {name!r}: {_sentence(error.errors()[0])}") from error


def of_cases(cases: Sequence[Case], *, repeats: int, **about: Any) -> Results:
    """Results of these cases, with their mean; ``about`` are the other fields.

    Raises:
        InputError: the cases don't fit together.
    """
    value = {"schema": SCHEMA, **about, "repeats": repeats, "cases": cases}
    return _validated({**value, "mean_score": round(decimal(mean_of(cases)), _DIGITS)})


def read(text: str) -> Results:
    """The results in this JSON text.

    Raises:
        InputError: it isn't JSON, isn't results, or disagrees with itself.
    """
    value = parsed(text)
    if not isinstance(value, dict):
        raise InputError(f"expected an object with mean_score; got {_shown(value)}")
    known = {field.alias or name for name, field in Results.model_fields.items()}
    return _validated(value if "schema" in value else {key: value[key] for key in value if key in known})


def written(results: Results) -> str:
    """The JSON text: what isn't known is left out, scores are numbers again."""
    value = results.model_dump(by_alias=True, exclude_defaults=True) | {"repeats": results.repeats}
    return json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n"


def parsed(text: str) -> Any:
    """A JSON value with exact decimals.

    Raises:
        InputError: it is no JSON, or has NaN, infinity or a key twice in one object.
    """
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_each_key_once
        )
    except RecursionError as error:
        raise InputError("expected JSON; it is nested too deeply") from error
    except ValueError as error:
        raise InputError(f"expected JSON; {error}. Was the file written to its end?") from error


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _each_key_once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return value


def _plain(value: object) -> float | int:
    # NB: repr of a double gives back the shortest decimal that reads as it, so 0.9 stays 0.9.
    if not isinstance(value, Decimal):
        raise TypeError(f"no JSON for {type(value).__name__}")
    return int(value) if value == value.to_integral_value() else float(value)


def _validated(value: Mapping[str, Any]) -> Results:
    try:
        return Results.model_validate(value)
    except ValidationError as error:
        raise InputError("; ".join(map(_sentence, error.errors()[:3]))) from error


def _sentence(problem: Mapping[str, Any]) -> str:
    place = ".".join(map(str, problem["loc"]))
    reason = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "missing":
        return f"expected {place}, which isn't there"
    if problem["type"] == "extra_forbidden":
        return f"{place} is no field of {SCHEMA}"
    return f"{place}: {reason}; got {_shown(problem['input'])}" if place else reason


def _shown(value: object) -> str:
    return str(value)[:80] if isinstance(value, Decimal) else repr(value)[:80]
