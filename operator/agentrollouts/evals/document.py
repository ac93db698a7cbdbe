"""A judgement as JSON: scores and losses as numbers from 0 to 1, null for what isn't there."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from agentrollouts.evals.gate import Comparison, Judgement
from agentrollouts.evals.words import errors, lines


def document(judgement: Judgement) -> Mapping[str, Any]:
    """Everything the gate says."""
    results, limits = judgement.results, judgement.limits
    return {
        "passed": judgement.passed,
        "verdict": judgement.verdict,
        "agent": results.agent,
        "version": results.version,
        "artifactDigest": results.artifact_digest,
        "datasetDigest": results.dataset_digest,
        "score": float(results.score),
        "minScore": float(limits.minimum),
        "maxRegression": float(limits.max_regression),
        "onUnclear": limits.on_unclear,
        "repeats": results.repeats,
        "passPower": _number(judgement.pass_power),
        "baseline": _comparison(judgement.comparison) if judgement.comparison else None,
        "flaky": [
            {"id": each.id, "passed": each.passed, "repeats": each.repeats} for each in judgement.flaky
        ],
        "errors": [{"id": case.id, "error": case.error} for case in errors(results.cases or ())],
        "lines": list(lines(judgement)),
    }


def _comparison(found: Comparison) -> Mapping[str, Any]:
    return {
        "verdict": found.verdict,
        "score": float(found.score),
        "baselineScore": float(found.baseline),
        "regression": float(found.regression),
        "interval": [found.interval.low, found.interval.high] if found.interval else None,
        "repeats": found.repeats,
        "enoughRepeats": found.enough_repeats,
        "commonCases": found.common,
        "newCases": list(found.added),
        "removedCases": list(found.removed),
        "otherDataset": found.other_dataset,
    }


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
