"""An evaluation before traffic, as the Job of ``spec.beforeTraffic`` does it: run, judge, and say what came of it.

The summary goes to the container's termination message, which the operator reads. Everything else goes to the log, as one line
of JSON: all results, the judgement, and the in-toto statement whose digest the summary has.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentrollouts.api.before_traffic import ProofSummary
from agentrollouts.core.proof_summary import clipped
from agentrollouts.evals.attempts import Attempt, results_of
from agentrollouts.evals.dataset import Tasks, load
from agentrollouts.evals.document import document
from agentrollouts.evals.errors import InputError
from agentrollouts.evals.files import text_of
from agentrollouts.evals.gate import Judgement, Limits, OnUnclear, judge
from agentrollouts.evals.results import Results, decimal, read, written
from agentrollouts.evals.run import Pace, in_order, run
from agentrollouts.evals.scorers import scorers_named
from agentrollouts.evals.words import errors, lines, plain
from agentrollouts.proving import Proof
from agentrollouts.proving import parser as parser_of

REACHED_WITHIN = 30.0
"""Seconds a version may take until it can be connected to: its pods are ready, but its Service may be news to this node."""
_PAUSE = 0.5
_YAML = (".yaml", ".yml")

UNUSABLE = InputError
"""What is raised for input that can't be used."""


@dataclass(frozen=True, slots=True)
class Side:
    """One version that is evaluated."""

    url: str
    version: str
    digest: str


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The options that stand in the Job, from a command line."""
    parser = parser_of("eval", __doc__)
    for name, text in (
        ("dataset", "file with the dataset"),
        ("target", "URL to POST each task to"),
        ("minimum-score", "the least score, from 0 to 1"),
    ):
        parser.add_argument(f"--{name}", required=True, help=text)
    for name, default, text in (
        ("baseline", "", "file with results to compare with"),
        ("stable", "", "URL of the stable version, which is evaluated beside the candidate to compare with"),
        ("stable-version", "", "the stable version"),
        ("stable-digest", "", "the stable version's artifact digest"),
        ("maximum-regression", "0.05", "the most that may be lost, from 0 to 1"),
        ("answer", "", "which field of the JSON that is answered"),
    ):
        parser.add_argument(f"--{name}", default=default, help=text)
    for name, count in (("repeat", 1), ("concurrency", 4), ("task-timeout", 60)):
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument(
        "--scorer", action="append", default=[], help="a scorer of your own, module:Class; may be repeated"
    )
    parser.add_argument("--on-unclear", choices=[each.value for each in OnUnclear], default="fail")
    return parser.parse_args(list(arguments))


async def prove(options: argparse.Namespace) -> Proof:
    """Evaluate and judge. Raises InputError where nobody can say."""
    judgement, baseline = await _evaluated(options)
    return Proof(
        summary=_summary(judgement),
        predicate=_predicate(options, judgement),
        lines=lines(judgement),
        document={
            "results": json.loads(written(judgement.results)),
            "baseline": json.loads(written(baseline)) if baseline is not None else None,
            "judgement": document(judgement),
        },
    )


async def _evaluated(options: argparse.Namespace) -> tuple[Judgement, Results | None]:
    limits = Limits(
        _fraction(options.minimum_score, "--minimum-score"),
        _fraction(options.maximum_regression, "--maximum-regression"),
        OnUnclear(options.on_unclear),
    )
    path = Path(options.dataset)
    tasks = load(text_of(path), yaml=path.suffix.lower() in _YAML, scorers=scorers_named(options.scorer))
    kept = read(text_of(Path(options.baseline))) if options.baseline else None
    sides = [Side(options.target, options.version, options.artifact_digest)]
    if options.stable:
        sides.append(Side(options.stable, options.stable_version, options.stable_digest))
    for side in sides:
        await _reached(side)
    # Both at the same time: what the hour or the model's provider does, it does to both.
    found = await asyncio.gather(*(_results(side, tasks, options) for side in sides))
    for side, results in zip(sides[1:], found[1:], strict=True):
        _answers(side, results)
    baseline = found[1] if options.stable else kept
    return judge(found[0], baseline, limits), baseline


async def _results(side: Side, tasks: Tasks, options: argparse.Namespace) -> Results:
    import httpx

    from agentrollouts.evals.http_target import HttpTarget

    pace = Pace(options.repeat, options.concurrency, float(options.task_timeout))
    done: list[Attempt] = []
    async with AsyncExitStack() as stack:
        limits = httpx.Limits(max_connections=pace.concurrency)
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=None, limits=limits))  # noqa: S113 - each task has a deadline of its own
        target = HttpTarget(client, side.url, field=options.answer)
        await run(tasks, target, pace, name=f"eval-{os.urandom(4).hex()}", done=done)
    about = {"agent": options.agent, "version": side.version, "artifact_digest": side.digest}
    return results_of(
        in_order(tasks, done),
        repeats=pace.repeats,
        dataset_digest=tasks.digest,
        **{name: value for name, value in about.items() if value},
    )


async def _reached(side: Side) -> None:
    """Nobody's fault but the cluster's is a version that can't even be connected to; a FAIL would be the version's."""
    parts = urlsplit(side.url)
    if not parts.hostname:
        raise InputError(f"expected a URL such as http://support-2-0-0/v1/tasks; got {side.url!r}")
    last = "no answer"
    deadline = asyncio.get_running_loop().time() + REACHED_WITHIN
    while asyncio.get_running_loop().time() < deadline:
        try:
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
        except (OSError, TimeoutError) as error:
            last = str(error) or type(error).__name__
            await asyncio.sleep(_PAUSE)
        else:
            writer.close()
            return
    raise InputError(f"can't connect to {side.version} at {side.url} within {REACHED_WITHIN:g} s: {last}")


def _answers(side: Side, results: Results) -> None:
    """A baseline of errors alone would let everything pass."""
    cases = results.cases or ()
    if cases and len(errors(cases)) == len(cases):
        raise InputError(
            f"the stable version {side.version} answered no case, so there is nothing to compare with: {plain(cases[0].error or '')}"
        )


def _fraction(text: str, option: str) -> Fraction:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise InputError(f"{option}: expected a number from 0 to 1, such as 0.85; got {text!r}") from error
    if not value.is_finite() or not 0 <= value <= 1:
        raise InputError(f"{option}: expected a number from 0 to 1, such as 0.85; got {text!r}")
    return Fraction(value)


def _predicate(options: argparse.Namespace, judgement: Judgement) -> Mapping[str, Any]:
    """What the statement says; scores as text, for a canonical form has no fractions."""
    found = judgement.comparison
    return {
        "verdict": "PASS" if judgement.passed else "FAIL",
        "score": _four(judgement.results.score),
        "minimumScore": options.minimum_score,
        "maximumRegression": options.maximum_regression,
        "datasetDigest": judgement.results.dataset_digest or "",
        "repeats": judgement.results.repeats,
        "cases": len(judgement.results.cases or ()),
        "attempt": options.attempt,
        "baseline": {
            "score": _four(found.baseline),
            "version": options.stable_version,
            "artifactDigest": options.stable_digest,
        }
        if found is not None
        else {},
    }


def _summary(judgement: Judgement) -> ProofSummary:
    cases = judgement.results.cases or ()
    return ProofSummary(
        verdict="PASS" if judgement.passed else "FAIL",
        message=clipped("; ".join(line for line in lines(judgement) if line not in ("PASS", "FAIL"))),
        score=_four(judgement.results.score),
        baseline_score=_four(judgement.comparison.baseline) if judgement.comparison else "",
        cases=len(cases),
        repeats=judgement.results.repeats,
        errors=len(errors(cases)),
        flaky=len(judgement.flaky),
        dataset_digest=judgement.results.dataset_digest,
    )


def _four(value: Fraction) -> str:
    return f"{decimal(value):.4f}"
