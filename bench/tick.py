"""The cost of a pure tick: settle, checks, gate, decision and plan, over a fleet that holds and over one that rolls back.

    python -m bench.tick --rollouts 5000

No API, no clock, no network: what the operator's own rules cost. The middle of five rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.builders import climbing, evidence, good, later, look, step


def holding(n: int) -> list[Any]:
    held = step(later(climbing(), seconds=2), evidence=good(10))
    return [replace(held, evidence=good(10 + i % 9)) for i in range(n)]


def failing(n: int) -> list[Any]:
    worse = evidence(
        {("2.0.0", "candidate"): (10, 30), ("1.0.0", "control"): (40, 0), ("1.0.0", "stable"): (400, 2)}
    )
    return [replace(climbing(), evidence=worse)] * n


def measure(fleet: list[Any], runs: int = 5) -> dict[str, float]:
    seconds = []
    actions = 0
    for _ in range(runs):
        began = time.process_time()
        actions = sum(len(look(snapshot)[1].actions) for snapshot in fleet)
        seconds.append(time.process_time() - began)
    median = statistics.median(seconds)
    return {
        "rollouts": len(fleet),
        "cpu_seconds": round(median, 3),
        "us_per_tick": round(median / len(fleet) * 1e6, 1),
        "actions": actions,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=5_000)
    n = parser.parse_args().rollouts
    fleets: dict[str, Callable[[int], list[Any]]] = {"holding": holding, "failing": failing}
    print(json.dumps({name: measure(make(n)) for name, make in fleets.items()}, indent=2))


if __name__ == "__main__":
    main()
