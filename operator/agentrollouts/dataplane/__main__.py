"""``python -m agentrollouts.dataplane [run|init|drain]``: the router's sidecar, its init container and its preStop hook."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence

from agentrollouts.dataplane.bootstrap import bootstrap
from agentrollouts.dataplane.drain import drain
from agentrollouts.dataplane.envoy import Envoy
from agentrollouts.dataplane.folder import prepare, put
from agentrollouts.dataplane.resources import BOOTSTRAP
from agentrollouts.dataplane.settings import Settings, from_environment
from agentrollouts.json_logs import log_as_json


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the three; the exit status is 0, 2 for settings that can't be read."""
    parser = argparse.ArgumentParser(prog="python -m agentrollouts.dataplane", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="watch the cluster and keep Envoy's files true (the default)")
    commands.add_parser("init", help="write Envoy's bootstrap and the files it must find at its start")
    draining = commands.add_parser("drain", help="leave the Service and wait until no request is under way")
    draining.add_argument("--deadline", type=float, default=25.0, help="seconds to wait at most (default 25)")
    chosen = parser.parse_args(arguments)
    log_as_json()
    try:
        settings = from_environment(os.environ)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if chosen.command == "init":
        init(settings)
    elif chosen.command == "drain":
        asyncio.run(_drain(settings, chosen.deadline))
    else:
        # The client library takes a second to import; init and drain don't need it.
        from agentrollouts.dataplane.app import run

        asyncio.run(run(settings))
    return 0


def init(settings: Settings) -> None:
    """Everything Envoy needs to start, before the cluster has been heard."""
    prepare(settings.folder, settings.listeners)
    put(settings.folder, BOOTSTRAP, bootstrap(settings.bootstrap))


async def _drain(settings: Settings, deadline: float) -> None:
    async with Envoy(settings.admin_socket) as proxy:
        await drain(proxy, deadline=deadline, clock=time.monotonic)


if __name__ == "__main__":
    sys.exit(main())
