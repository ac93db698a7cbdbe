"""A replay before traffic, as the Job of ``spec.beforeTraffic`` does it: wait for the lanes, replay, judge, and say what came of it.

The summary goes to the container's termination message, which the operator reads. Everything else goes to the log, as one line
of JSON: the report and the in-toto statement whose digest the summary has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from agentrollouts.api.before_traffic import ProofSummary
from agentrollouts.core.proof_summary import clipped
from agentrollouts.proving import Proof
from agentrollouts.proving import parser as parser_of
from agentrollouts.replay.asking import ask
from agentrollouts.replay.attempt import Lane
from agentrollouts.replay.comparison import Compare, Rule, Tools, threshold_of
from agentrollouts.replay.disagreement import comparisons
from agentrollouts.replay.embed import Embedding, answers_embedded
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.journal import Journal
from agentrollouts.replay.judge import Limits
from agentrollouts.replay.leftovers import kept_until_judged
from agentrollouts.replay.pace import Asked, Pace, address, at_tenths
from agentrollouts.replay.records import Records, drawn_with_patience
from agentrollouts.replay.report import Bounds, LaneReport, Report
from agentrollouts.replay.summarise import summarised
from agentrollouts.replay.words import text

LOGGED = 200
"""Changed tasks that the log shows."""
_RECONNECTS = 8
"""Tries to connect to a lane's pod whose name leads to another one now: two minutes of them."""
UNUSABLE = ReplayError
"""What is raised for input that can't be used."""


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Options from a command line."""
    parser = parser_of("replay", __doc__)
    for name, help_ in (
        ("candidate", "URL of the candidate's pod in replay mode"),
        ("incumbent", "URL of the stable version's"),
        ("namespace", "where it runs"),
        ("stable-version", "the stable version"),
        ("stable-digest", "the stable version's artifact digest"),
        ("from", "file of recorded tasks, or ledger"),
    ):
        parser.add_argument(f"--{name}", required=True, help=help_)
    for name, default, help_ in (
        ("ledger", "", "URL of the task ledger"),
        ("token-file", "", "file with a token that may read there"),
        ("recorded-version", "", "only tasks that this version did"),
        ("answer", "", "what of an answer is compared"),
        ("input", "input", "field of the body for an input that is no object"),
        ("listen", "0.0.0.0:8199", "where the lanes' AGENT_REPLAY_URL leads"),
        ("journal", "journal", "file for what is finished"),
        ("embedding-url", "", "embedding: an endpoint up to /v1; texts of answers are sent there"),
        ("embedding-model", "", "embedding: whose vectors"),
        ("embedding-key-file", "", "embedding: file with the endpoint's key"),
    ):
        parser.add_argument(f"--{name}", default=default, help=help_)
    for name, count in (("tasks", 200), ("concurrency", 4)):
        parser.add_argument(f"--{name}", type=int, default=count)
    for name, value in (
        ("maximum-disagreement", 0.05),
        ("maximum-noise", 0.5),
        ("threshold", None),
        ("task-timeout", 60.0),
        ("reached-within", 300.0),
    ):
        parser.add_argument(f"--{name}", type=float, default=value)
    parser.add_argument("--outcome", choices=["any", "success"], default="any")
    parser.add_argument("--compare", choices=[each.value for each in Compare], default="exact")
    parser.add_argument("--tools", choices=[each.value for each in Tools], default="effects")
    parser.add_argument(
        "--ignore", action="append", default=[], help="a path that doesn't count; may be repeated"
    )
    return parser.parse_args(list(arguments))


async def prove(options: argparse.Namespace, embedding: Embedding | None = None) -> Proof:
    """Replay and judge. ``embedding``: whose vectors it goes by, where it does. Raises ReplayError where nobody can say."""
    report = await _replayed(options, embedding)
    shown = report.model_copy(update={"changed": report.changed[:LOGGED]})
    return Proof(
        summary=_summary(report),
        predicate=_predicate(options, report),
        lines=text(report, 0),
        document={"report": shown.model_dump(mode="json", by_alias=True)},
    )


async def _replayed(options: argparse.Namespace, embedding: Embedding | None) -> Report:
    about = {"candidate": options.artifact_digest, "incumbent": options.stable_digest}
    with Journal(Path(options.journal), about) as journal, kept_until_judged(journal.path):
        report = await _judged(options, embedding, journal)
        for lane, promised in (
            (report.candidate, options.artifact_digest),
            (report.incumbent, options.stable_digest),
        ):
            _is_promised(lane, promised)
    return report


async def _judged(options: argparse.Namespace, embedding: Embedding | None, journal: Journal) -> Report:
    rule = _rule(options, embedding)
    asked = Asked(
        MappingProxyType({Lane.CANDIDATE: options.candidate, Lane.INCUMBENT: options.incumbent}),
        address(options.listen),
        options.input,
        options.task_timeout,
        Pace(options.concurrency, reconnects=_RECONNECTS),
        options.reached_within,
    )
    plan = await drawn_with_patience(journal, _records(options), options.tasks, seed="replay", tell=_told)
    await ask(plan, asked, journal, at_tenths(_told))
    vectors = await answers_embedded(embedding, plan, journal, rule, at_tenths(_told, "embeddings"))
    compared = comparisons(plan.tasks, journal.kept.done, rule, vectors)
    limits = Limits(options.maximum_disagreement, options.maximum_noise)
    return summarised(compared, plan, rule, limits, asked=options.tasks, urls=asked.urls)


def _rule(options: argparse.Namespace, embedding: Embedding | None) -> Rule:
    compare = Compare(options.compare)
    return Rule(
        compare,
        options.answer,
        tuple(options.ignore),
        threshold_of(compare, options.threshold),
        Tools(options.tools),
        embedding.model if embedding is not None else "",
    )


def _records(options: argparse.Namespace) -> Records:
    return Records(
        source=vars(options)["from"],
        namespace=options.namespace,
        agent=options.agent,
        version=options.recorded_version,
        outcome="" if options.outcome == "any" else options.outcome,
        ledger=options.ledger,
        token_file=options.token_file,
    )


def _is_promised(lane: LaneReport, digest: str) -> None:
    """What was replayed is what would run. Raises ReplayError; an agent that tells no digest is taken at its pod's word."""
    if lane.digest and lane.digest != digest:
        raise ReplayError(
            f"what answered as {lane.version} was {lane.digest}, and {digest} was to be replayed"
        )


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _predicate(options: argparse.Namespace, report: Report) -> Mapping[str, Any]:
    """What the statement says; fractions as text, for a canonical form has none."""
    return {
        "verdict": _verdict(report),
        "tasks": report.tasks.done,
        "excess": _bounds(report.disagreement.excess),
        "maximumDisagreement": f"{options.maximum_disagreement:g}",
        "outcome": options.outcome,
        "attempt": options.attempt,
        "incumbent": {"version": options.stable_version, "artifactDigest": options.stable_digest},
    }


def _verdict(report: Report) -> Literal["PASS", "FAIL", "INVALID"]:
    """INCONCLUSIVE is no word for a candidate: nobody can say."""
    return "INVALID" if report.verdict == "INCONCLUSIVE" else report.verdict


def _summary(report: Report) -> ProofSummary:
    found = report.disagreement
    excess = _bounds(found.excess)
    return ProofSummary(
        verdict=_verdict(report),
        message=clipped(report.message),
        cases=report.tasks.done,
        repeats=1,
        errors=report.candidate.errors,
        changed=found.only_candidate,
        excess=excess.get("estimate", ""),
        excess_low=excess.get("low", ""),
        excess_high=excess.get("high", ""),
    )


def _bounds(found: Bounds | None) -> Mapping[str, str]:
    if found is None:
        return {}
    return {name: f"{value:z.4f}" for name, value in found.model_dump().items()}
