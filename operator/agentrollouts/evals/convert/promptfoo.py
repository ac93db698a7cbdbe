"""``promptfoo eval -o results.json`` (its format 3). A repeat is a result with the same test; its score is promptfoo's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from agentrollouts.evals.attempts import Attempt, broken
from agentrollouts.evals.convert.converted import Converted, Foreign, names_of
from agentrollouts.evals.errors import InputError

_ERROR = 2  # `failureReason`: 0 none, 1 an assertion failed, 2 there was no answer to judge


class _Provider(Foreign):
    id: str


class _Test(Foreign):
    description: str | None = None


class _Result(Foreign):
    score: Decimal
    success: bool
    failure_reason: Annotated[int, Field(alias="failureReason")] = 0
    error: str | None = None
    prompt_index: Annotated[int, Field(alias="promptIdx")]
    provider: _Provider
    test: Annotated[_Test, Field(alias="testCase")]
    vars: Mapping[str, Any] = {}


class _Results(Foreign):
    results: list[_Result]


class _File(Foreign):
    results: _Results


def convert(value: Any) -> Converted:
    """Attempts by test.

    Raises:
        ValidationError: it is no such file.
        InputError: it compares several prompts or providers, which are several versions.
    """
    found = _File.model_validate(value).results.results
    versions = {(result.provider.id, result.prompt_index) for result in found}
    if len(versions) > 1:
        raise InputError(
            f"expected results of one prompt and one provider; got {len(versions)} pairs."
            " Evaluate one at a time: promptfoo's --filter-providers and --filter-prompts"
        )
    names = names_of([_label(result) for result in found])
    return Converted(tuple(map(_attempt, names, found)))


def _label(result: _Result) -> tuple[str, str]:
    question = json.dumps(result.vars, sort_keys=True, ensure_ascii=False, default=str)
    return result.test.description or question, question


def _attempt(name: str, result: _Result) -> Attempt:
    if result.failure_reason == _ERROR:
        return broken(name, result.error or "error")
    return Attempt(name, result.score, result.success)
