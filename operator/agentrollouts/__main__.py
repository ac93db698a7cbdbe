"""``python -m agentrollouts run``: the operator; ``eval``: what its Jobs before traffic do."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from agentrollouts.runtime import logs
from agentrollouts.runtime.settings import add_arguments, from_arguments


def _evaluate(arguments: Sequence[str]) -> int:
    """Evaluate one version; here, because a statement is the release room's and an evaluation isn't."""
    from agentrollouts.evals import step
    from agentrollouts.release.attestation import Named, statement

    options = step.parsed(arguments)

    def stated(predicate: Mapping[str, Any]) -> bytes:
        about = Named(f"{options.agent}-{options.version}", options.artifact_digest)
        return statement(about, "eval", predicate)

    return step.main(options, stated)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator, or what its Jobs do; 2 for settings that can't be read."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["eval"]:
        return _evaluate(words[1:])
    parser = argparse.ArgumentParser(prog="python -m agentrollouts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_arguments(commands.add_parser("run", help="watch the cluster and lead rollouts"))
    commands.add_parser("eval", help="evaluate a version before it gets traffic, as a Job does")
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
