"""Results as text, and as values."""

from __future__ import annotations

import json
from typing import Any

from agentrollouts.evals.results import SCHEMA, Results, read


def text(cases: dict[str, list[float]], /, **about: Any) -> str:
    """Results of these scores by case; the mean is theirs."""
    means = [sum(scores) / len(scores) for scores in cases.values()]
    repeats = len(next(iter(cases.values())))
    value = {
        "schema": SCHEMA,
        "mean_score": round(sum(means) / len(means), 12),
        "repeats": repeats,
        "cases": [{"id": name, "scores": scores} for name, scores in cases.items()],
    }
    return json.dumps({**value, **about})


def results(cases: dict[str, list[float]], /, **about: Any) -> Results:
    return read(text(cases, **about))


def only(score: str) -> Results:
    """The form without cases."""
    return read(f'{{"mean_score": {score}}}')
