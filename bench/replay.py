"""How many recorded tasks a second are replayed in both lanes, from a real ledger and with real agents.

The sample agent does the tasks first and its kit posts them. Then two of its processes in replay mode do them again; all of it on
this machine, so the agents' own work is in the figure.

Run: python -m bench.replay [--tasks N] [--concurrency N]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.ledger import service, wait_for
from bench.ports import free_port

POSTED_WITHIN = 60.0


@contextmanager
def agent(**env: str) -> Iterator[str]:
    """The sample agent without any latency of its own."""
    port = free_port()
    given = {
        "SUPPORT_PORT": str(port), "AGENT_METRICS_PORT": str(free_port()), "AGENT_NAME": "support",
        "AGENT_NAMESPACE": "shop", "AGENT_VERSION": "1.0.0", "SUPPORT_LATENCY_MS": "0", **env,
    }  # fmt: skip
    command = [sys.executable, "-m", "support_agent"]
    with subprocess.Popen(
        command, env={**os.environ, **given}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}/v1/tasks"
        finally:
            process.terminate()


def recorded(url: str, tasks: int) -> None:
    """Have the agent do tasks."""
    for number in range(tasks):
        body = json.dumps({"text": f"Where is my order A-{1000 + number % 500}?"}).encode()
        request = urllib.request.Request(url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60):
            pass


def arrived(ledger: str, tasks: int) -> None:
    """Wait until the ledger has them."""
    deadline = time.monotonic() + POSTED_WITHIN
    while _count(ledger, tasks) < tasks:
        assert time.monotonic() < deadline, "the kit didn't post all tasks"
        time.sleep(0.2)


def _count(ledger: str, tasks: int) -> int:
    found, cursor = 0, ""
    while found < tasks:
        query = f"namespace=shop&agent=support&limit=200{f'&cursor={cursor}' if cursor else ''}"
        with urllib.request.urlopen(f"{ledger}/v1/tasks?{query}", timeout=60) as answer:
            page = json.loads(answer.read())
        found, cursor = found + len(page["tasks"]), page.get("next")
        if not cursor:
            break
    return found


def replayed(ledger: str, folder: Path, *, tasks: int, concurrency: int) -> dict[str, Any]:
    """One replay by the command line; tasks a second from its own start to its end."""
    port, report = free_port(), folder / "report.json"
    lane = {"AGENT_REPLAY": "1", "AGENT_REPLAY_URL": f"http://127.0.0.1:{port}"}
    with agent(**lane) as candidate, agent(**lane) as incumbent:
        command = [
            sys.executable, "-m", "agentrollouts.cli.app", "replay", "run", "--from", "ledger", "--ledger", ledger,
            "--agent", "support", "--namespace", "shop", "--candidate", candidate, "--incumbent", incumbent,
            "--answer", "label", "--tasks", str(tasks), "--concurrency", str(concurrency),
            "--listen", f"127.0.0.1:{port}", "-o", str(report),
        ]  # fmt: skip
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
    assert done.returncode == 0, done.stderr + done.stdout
    return {
        "tasks": tasks,
        "concurrency": concurrency,
        "seconds": round(took, 1),
        "tasks_a_second": round(tasks / took, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--concurrency", type=int, default=8)
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ledger = stack.enter_context(service(folder))
        with agent(AGENT_LEDGER_URL=ledger) as url:
            recorded(url, given.tasks)
            arrived(ledger, given.tasks)
        print(
            json.dumps(replayed(ledger, folder, tasks=given.tasks, concurrency=given.concurrency), indent=2)
        )


if __name__ == "__main__":
    main()
