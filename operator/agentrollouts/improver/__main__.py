"""``python -m agentrollouts.improver ROLLOUT``: one run, as the chart's CronJob does it. Needs nothing of the extra ``cli``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from agentrollouts.improver.settings import read_settings
from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError
from agentrollouts.replay.errors import ReplayError


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None) -> int:
    """0: proposed, or held for a reason; 3: refused; 2: settings that can't be used; 1: the cluster couldn't be asked."""
    parser = argparse.ArgumentParser(prog="python -m agentrollouts.improver", description=__doc__)
    parser.add_argument("rollout", help="name of the Rollout")
    parser.add_argument(
        "--namespace", "-n", default="", help="its namespace (default: the pod's, or the kubeconfig's)"
    )
    parser.add_argument(
        "--kubeconfig", default="", help="kubeconfig file (default: the pod's service account)"
    )
    parser.add_argument("--dry-run", action="store_true", help="ask and try, but write nothing")
    given = parser.parse_args(arguments)
    try:
        settings = read_settings(os.environ if environment is None else environment)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    # NB: the library of the model takes a second to import, and wrong settings should be told before that.
    from agentrollouts.improver.wiring import run

    try:
        outcome = asyncio.run(
            run(
                settings,
                given.rollout,
                dry_run=given.dry_run,
                namespace=given.namespace,
                kubeconfig=given.kubeconfig,
            )
        )
    except ReplayError as error:
        print(error, file=sys.stderr)
        return 2
    except (ConflictError, GoneError, TransientError, TerminalError) as error:
        print(f"the cluster couldn't be asked: {error}", file=sys.stderr)
        return 1
    print(outcome.model_dump_json(exclude_none=True))
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
