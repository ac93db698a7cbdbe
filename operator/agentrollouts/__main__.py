"""``python -m agentrollouts run``: the operator."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from agentrollouts.runtime import logs
from agentrollouts.runtime.settings import add_arguments, from_arguments


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the operator; 2 for settings that can't be read."""
    parser = argparse.ArgumentParser(prog="python -m agentrollouts", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add_arguments(commands.add_parser("run", help="watch the cluster and lead rollouts"))
    try:
        settings = from_arguments(parser.parse_args(arguments))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(settings.log_level)
    # The libraries take a second to import; a wrong flag should be told at once.
    from agentrollouts.runtime.app import run

    return asyncio.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
