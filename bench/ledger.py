"""What the task ledger takes, and what posting to it costs an agent.

The first figure is of the service: records a second over HTTP into SQLite, from some connections at once. The next are of an
agent's own thread: how long it takes to end a task without a ledger, with one, and with one that is down. What the kit's threads do
beside it is not waited for, so the tail is where a lock would show. The last are what the agent's callers see of all this, for tasks of
20 ms in which the agent waits (`bench/callers.py`): milliseconds, and with its interval how much more they are than without a ledger.

Run: python -m bench.ledger [--records N] [--tasks N] [--rounds N] [--requests N] [--rate PER_SECOND]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentrollouts_kit import Reporter, request_context, task
from agentrollouts_kit.context import current
from bench import callers
from bench.ports import free_port

CONNECTIONS, BATCH = 4, 100
STARTED_WITHIN = 60.0
PAUSE = 0.002
"""Seconds between two tasks: five hundred a second, more than most agents do."""


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """A ledger of one's own on SQLite."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "agentrollouts.ledger",
        "--insecure",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    env = {**os.environ, "AGENT_ROLLOUTS_LEDGER_DATABASE_URL": f"sqlite:///{folder}/ledger.db"}
    with subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for(url: str) -> None:
    """Until it answers."""
    deadline = time.monotonic() + STARTED_WITHIN
    while True:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _record(number: int) -> dict[str, Any]:
    """A task with two tool calls, about 1.5 kB."""
    call = {
        "name": "look_up_order",
        "arguments": {"order": f"A-{number}"},
        "result": {"state": "shipped", "note": "x" * 300},
    }
    return {
        "id": f"{number:032x}", "namespace": "shop", "agent": "support", "version": "1.0.0", "cohort": "stable",
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:01Z", "outcome": "success",
        "input": {"text": "Where is my order? " * 10}, "output": {"answer": "It is on its way. " * 10}, "toolCalls": [call, call],
    }  # fmt: skip


def taken(url: str, records: int) -> float:
    """Records a second that the service answers for."""
    bodies = [
        "".join(json.dumps(_record(number)) + "\n" for number in range(first, first + BATCH)).encode()
        for first in range(0, records, BATCH)
    ]

    def post(part: list[bytes]) -> None:
        for body in part:
            request = urllib.request.Request(
                f"{url}/v1/tasks", body, {"content-type": "application/x-ndjson"}, method="POST"
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.status == 202, answer.status

    threads = [threading.Thread(target=post, args=(bodies[at::CONNECTIONS],)) for at in range(CONNECTIONS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return records / (time.perf_counter() - began)


def ended(reporter: Reporter, tasks: int) -> dict[str, float]:
    """Microseconds that the agent's thread takes from the begin to the end of a task in which nothing else happens."""
    current.set(request_context([(b"x-agent-cohort", b"stable"), (b"x-agent-session", b"user-1")]))
    found = []
    for number in range(tasks):
        began = time.perf_counter()
        with task(reporter=reporter) as work:
            work.record_input({"text": f"Where is my order A-{number}?"})
            work.tool_call("look_up_order", arguments={"order": f"A-{number}"}, result={"state": "shipped"})
            work.record_output({"answer": "It is on its way."})
            work.success()
        found.append((time.perf_counter() - began) * 1e6)
        time.sleep(PAUSE)
    found.sort()
    return {f"p{rank}": round(found[int(len(found) * rank / 100)], 1) for rank in (50, 99)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--tasks", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=200, help="to each agent in each round")
    parser.add_argument("--rate", type=float, default=100.0)
    given = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, service(Path(name)) as url:
        results["records_a_second"] = round(taken(url, given.records))
        ledgers = {"without": "", "with": url, "down": f"http://127.0.0.1:{free_port()}"}
        for which, address in ledgers.items():
            state = Path(name) / which
            state.mkdir()
            reporter = Reporter(
                ledger_url=address, state_dir=str(state), metrics_port=0, tools=("look_up_order",)
            )
            results[f"microseconds_a_task_{which}_ledger"] = ended(reporter, given.tasks)
            reporter.close()
        results["milliseconds_for_callers"] = callers.measured(
            Path(name) / "callers",
            ledgers | {"without_as_well": ""},
            rounds=given.rounds,
            requests=given.requests,
            rate=given.rate,
        )
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
