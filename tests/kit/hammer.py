"""Counts as fast as it can until it is killed; `python -m tests.kit.hammer`. Prints a line once it counts."""

from __future__ import annotations

import itertools

from agentrollouts_kit import Reporter, request_context, task
from agentrollouts_kit.context import current


def main() -> None:
    reporter = Reporter(tools=("lookup",), scores=("similarity",), max_open_sessions=20)
    for number in itertools.count():
        if number == 1:
            print("counting", flush=True)
        current.set(
            request_context(
                [(b"x-agent-session", b"user-%d" % (number % 30)), (b"x-agent-cohort", b"stable")]
            )
        )
        with task(reporter=reporter) as t:
            t.llm_call(input_tokens=3, output_tokens=2, cost_usd=0.25)
            t.tool_call("lookup")
            t.response(10)
            t.checkpoint()
            t.score("similarity", 0.5)
            if number % 3 == 0:
                t.end_session()


if __name__ == "__main__":
    main()
