"""What reporting costs an agent: CPU microseconds per task, in memory and in a state file, and a scrape.

Run: python bench/kit_overhead.py [--tasks N]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable

from agentrollouts_kit import Reporter, request_context, task
from agentrollouts_kit.context import current

USERS = 1000
ROUNDS = 10
TOOLS = tuple(f"tool-{number}" for number in range(8))


def full_task(reporter: Reporter) -> None:
    with task(reporter=reporter) as t:
        t.llm_call(input_tokens=900, output_tokens=120, cost_usd=0.002)
        t.llm_call(input_tokens=900, output_tokens=120, cost_usd=0.002)
        t.tool_call("tool-3")
        t.response("An answer of the usual kind.")
        t.success()


def bare_task(reporter: Reporter) -> None:
    with task(reporter=reporter):
        pass


def microseconds(work: Callable[[Reporter], None], reporter: Reporter, tasks: int) -> float:
    """CPU time per task, the best of some rounds: what else runs on the machine is not the kit's."""
    contexts = [
        request_context([(b"x-agent-cohort", b"stable"), (b"x-agent-session", b"user-%d" % number)])
        for number in range(USERS)
    ]
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for number in range(tasks // ROUNDS):
            current.set(contexts[number % USERS])
            work(reporter)
        rounds.append((time.process_time() - began) / (tasks // ROUNDS) * 1e6)
    return min(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=50_000)
    tasks = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as directory:
        for where, state_dir in (("memory", ""), ("state file", directory)):
            reporter = Reporter(state_dir=state_dir, tools=TOOLS, metrics_port=0)
            print(f"{where:10}  bare task        {microseconds(bare_task, reporter, tasks):7.1f} us")
            print(f"{where:10}  task in full     {microseconds(full_task, reporter, tasks):7.1f} us")
            began = time.process_time()
            scrape = reporter.render("")
            print(
                f"{where:10}  scrape           {(time.process_time() - began) * 1e3:7.1f} ms, {len(scrape.body)} bytes"
            )
            began = time.process_time()
            reporter.ledger.drain()
            print(f"{where:10}  close a session  {(time.process_time() - began) / USERS * 1e6:7.1f} us")
            reporter.close()


if __name__ == "__main__":
    main()
