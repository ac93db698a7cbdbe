"""``python -m agentrollouts run``: the operator; ``eval`` and ``replay``: what its Jobs before traffic do."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from agentrollouts.proving import Signed, proved
from agentrollouts.release.errors import ReleaseError
from agentrollouts.runtime import logs
from agentrollouts.runtime.settings import add_arguments, from_arguments

_STEPS: Mapping[str, str] = {"eval": "agentrollouts.evals.step", "replay": "agentrollouts.replaying"}
"""What does each kind; imported by name, for an image has what its own kind needs."""


def _prove(kind: str, arguments: Sequence[str]) -> int:
    """Prove something about one version; here, because a statement is the release room's and a proof isn't."""
    from agentrollouts.release.attestation import Named, statement

    step = import_module(_STEPS[kind])
    options = step.parsed(arguments)

    def stated(predicate: Mapping[str, Any]) -> bytes:
        about = Named(f"{options.agent}-{options.version}", options.artifact_digest)
        return statement(about, kind, predicate)

    return proved(options, step.prove, stated, _signed_with, unusable=(step.UNUSABLE, ReleaseError))


def _signed_with(path: str) -> Signed | None:
    """What signs with the key in a file; None without one. Raises ReleaseError where there is no such key."""
    from agentrollouts.release.attestation import signer

    if not path:
        return None
    try:
        return signer(Path(path).read_bytes())
    except OSError as error:
        raise ReleaseError(
            f"can't read the signing key {path}: {error.strerror}; in a Job it is the Secret that `signing` names"
        ) from error
    except ReleaseError as error:
        raise ReleaseError(f"the signing key {path}: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator, or what its Jobs do; 2 for settings that can't be read."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in _STEPS:
        return _prove(words[0], words[1:])
    parser = argparse.ArgumentParser(prog="python -m agentrollouts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_arguments(commands.add_parser("run", help="watch the cluster and lead rollouts"))
    commands.add_parser("eval", help="evaluate a version before it gets traffic, as a Job does")
    commands.add_parser("replay", help="do recorded tasks again before a version gets traffic, as a Job does")
    try:
        settings = from_arguments(parser.parse_args(words))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(settings.log_level)
    # The libraries take a second to import; a wrong flag should be told at once.
    from agentrollouts.runtime.app import run

    return asyncio.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
