"""Options that several verbs under `eval` share, and how they tell what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from agentrollouts.evals.errors import InputError
from agentrollouts.evals.results import Results, decimal

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
INVALID = 2
"""Exit status where the input can't be used, which isn't a failed gate."""

ResultsFile = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="Write the results there.")]
Agent = Annotated[str, typer.Option("--agent", help="Whose results these are.", show_default=False)]
Version = Annotated[str, typer.Option("--version", help="Which version of the agent.", show_default=False)]
ArtifactDigest = Annotated[
    str,
    typer.Option("--artifact-digest", help="The version's artifact digest, sha256:….", show_default=False),
]


def about(agent: str, version: str, artifact_digest: str) -> Mapping[str, Any]:
    """Those of the options that are given, as fields of the results.

    Raises:
        InputError: the artifact digest is none.
    """
    if artifact_digest and not _DIGEST.fullmatch(artifact_digest):
        raise InputError(
            f"--artifact-digest: expected sha256: and 64 hexadecimal digits; got {artifact_digest!r}"
        )
    given = {"agent": agent, "version": version, "artifact_digest": artifact_digest}
    return {name: value for name, value in given.items() if value}


def score_of(results: Results) -> str:
    """One line about results that are written."""
    cases = results.cases or ()
    wrong = sum(case.error is not None for case in cases)
    repeats = f" with {results.repeats} repeats each" if results.repeats > 1 else ""
    broken = f", {wrong} with errors" if wrong else ""
    return f"Eval score: {decimal(results.score):.4f} over {len(cases)} cases{repeats}{broken}"
