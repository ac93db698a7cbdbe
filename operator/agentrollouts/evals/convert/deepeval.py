"""DeepEval's ``test_run_….json``, which it writes to DEEPEVAL_RESULTS_FOLDER. A repeat is a test case with the same name.

A case's score is the mean of its metrics' scores; one that broke counts 0, and one that DeepEval calls flaky decides nothing here either.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from agentrollouts.evals.attempts import Attempt, broken
from agentrollouts.evals.convert.converted import Converted, Foreign, average, names_of
from agentrollouts.evals.errors import InputError


class _Metric(Foreign):
    name: str
    threshold: Decimal | None = None
    success: bool | None = None
    score: Decimal | None = None
    error: str | None = None
    flaky: bool = False

    @property
    def falls_short(self) -> bool:
        return self.score is not None and self.threshold is not None and self.score < self.threshold


class _Case(Foreign):
    name: str
    input: str = ""
    success: bool | None = None
    metrics: Annotated[list[_Metric] | None, Field(alias="metricsData")] = None
    tags: list[str] | None = None


class _File(Foreign):
    cases: Annotated[list[_Case], Field(alias="testCases")]
    conversations: Annotated[list[_Case], Field(alias="conversationalTestCases", default_factory=list)]


def convert(value: Any) -> Converted:
    """Attempts by test case.

    Raises:
        ValidationError: it is no such file.
        InputError: a case has no metric, or one for which less is better.
    """
    file = _File.model_validate(value)
    cases = (*file.cases, *file.conversations)
    return Converted(tuple(map(_attempt, names_of([(case.name, case.input) for case in cases]), cases)))


def _attempt(name: str, case: _Case) -> Attempt:
    metrics = [metric for metric in case.metrics or () if not metric.flaky]
    if not metrics:
        raise InputError(f"expected a metric for every case; {name!r} has none that counts")
    backwards = [metric.name for metric in metrics if metric.success and metric.falls_short]
    if backwards:
        raise InputError(
            f"expected metrics for which more is better; {backwards[0]!r} passes {name!r} below its threshold"
        )
    tags = tuple(case.tags or ())
    errors = [f"{metric.name}: {metric.error}" for metric in metrics if metric.error]
    if len(errors) == len(metrics):
        return broken(name, "; ".join(errors), tags=tags)
    score = average([Decimal(0) if metric.score is None else metric.score for metric in metrics])
    return Attempt(name, score, bool(case.success), "; ".join(errors) or None, tags)
