"""`python -m agent_load`: run a plan, show how it goes, leave the ledger behind."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from agent_load.control import Control
from agent_load.load import Load
from agent_load.plan import LoadPlan
from agent_load.queries import summary
from agent_load.session import pause

_SHOW_SECONDS = 5.0


def main() -> int:
    """Run; 2 when the arguments are wrong."""
    arguments = _parser().parse_args()
    try:
        plan = _plan(arguments)
    except ValueError as error:
        print(f"agent-load: {error}", file=sys.stderr)
        return 2
    asyncio.run(_run(plan, json_path=arguments.json, control_port=arguments.control_port))
    return 0


async def _run(plan: LoadPlan, *, json_path: Path | None, control_port: int | None) -> None:
    load = Load(plan)
    control = Control(load)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, control.request_quit)
    if control_port is not None:
        print(f"control port {await control.start(control_port)}", file=sys.stderr, flush=True)
    load.start()
    over = asyncio.Event()
    display = asyncio.create_task(_show(load, over))
    await load.wait()
    over.set()
    await display
    if json_path is not None:
        with json_path.open("w") as file:
            file.writelines(json.dumps(row.to_json()) + "\n" for row in load.ledger.rows())
    print(json.dumps(summary(load.ledger), indent=2), flush=True)
    if control_port is not None:
        await control.quit.wait()
        await control.close()


async def _show(load: Load, over: asyncio.Event) -> None:
    while await pause(over, _SHOW_SECONDS):
        live = load.counters
        print(
            f"{live.done} tasks: {live.right} right, {live.wrong} wrong, {live.unanswered} without an answer; "
            f"{live.in_flight} running, {live.sessions} sessions, {live.turned_away} turned away",
            file=sys.stderr,
            flush=True,
        )


def _plan(arguments: argparse.Namespace) -> LoadPlan:
    key = arguments.key_header
    return LoadPlan(
        url=arguments.url,
        users=arguments.users,
        rate=arguments.rate,
        tasks_per_session=_range(arguments.tasks_per_session),
        duration=arguments.duration or None,
        key_header="" if key == "none" else key,
        think=arguments.think,
        sse=arguments.sse,
        ws=arguments.ws,
        sse_chunks=arguments.sse_chunks,
        sse_interval=arguments.sse_interval,
        timeout=arguments.timeout,
        max_requests=arguments.max_requests,
        seed=arguments.seed,
        about=tuple(kind for kind in arguments.about.split(",") if kind),
    )


def _range(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not (low.isdigit() and (high or low).isdigit()):
        raise ValueError(f"--tasks-per-session must be a range such as 1-5; got {text!r}")
    return int(low), int(high or low)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent-load", description=__doc__)
    add = parser.add_argument
    add("--url", required=True, help="where the agent answers, such as http://support.shop")
    add("--users", type=int, default=200, help="how many different users (default %(default)s)")
    add("--rate", type=float, default=20.0, help="tasks a second over all users (default %(default)s)")
    add("--tasks-per-session", default="1-5", metavar="LOW-HIGH", help="default %(default)s")
    add("--duration", type=float, default=60.0, help="seconds; 0 runs until stopped (default %(default)s)")
    add(
        "--key-header",
        default="x-user-id",
        help="header that names the user; none: no key (default %(default)s)",
    )
    add("--think", type=float, default=0.2, help="mean seconds between a user's tasks (default %(default)s)")
    add(
        "--sse", type=float, default=0.0, help="fraction of sessions over event streams (default %(default)s)"
    )
    add("--ws", type=float, default=0.0, help="fraction of sessions over WebSockets (default %(default)s)")
    add("--sse-chunks", type=int, default=8, help="events of a stream (default %(default)s)")
    add("--sse-interval", type=float, default=0.01, help="seconds between them (default %(default)s)")
    add("--timeout", type=float, default=30.0, help="seconds for one task (default %(default)s)")
    add("--max-requests", type=int, default=1_000_000, help="the load stops there (default %(default)s)")
    add("--seed", type=int, default=1, help="the same seed asks the same questions (default %(default)s)")
    add("--about", default="", help="kinds of questions, comma separated (default: all)")
    add("--json", type=Path, metavar="FILE", help="write every request as a line of JSON")
    add(
        "--control-port", type=int, help="serve /summary, /requests, /stop and /quit there until told to quit"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
