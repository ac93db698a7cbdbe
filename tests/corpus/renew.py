"""Renews the decisions of the corpus, deliberately; with --looks also the looks of the synthetic cases. See README.md."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import yaml

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.core.evidence import Unavailable
from agentrollouts.planning.recording import Recording, written
from agentrollouts.planning.simulation import Pace, simulate
from agentrollouts.planning.world import World
from tests.corpus.cases import HERE, decided

SEQUENTIAL: dict[str, Any] = {"mode": "sequential"}
QUICK: dict[str, Any] = {
    "mode": "sequential",
    "checks": [{"name": "success", "successRate": {}}],
    "margin": "20%",
}
TWO_STEPS = {"steps": [{"share": "10%", "soak": "10m"}, {"share": "50%", "soak": "20m"}]}
RECIPES: dict[str, tuple[dict[str, Any], World, timedelta, str]] = {
    "as-good": ({"analysis": QUICK, "strategy": TWO_STEPS}, World(40.0), timedelta(days=1), ""),
    "much-worse": ({"analysis": SEQUENTIAL}, World(20.0, effect=-0.3), timedelta(days=1), ""),
    "worse": ({"analysis": QUICK, "strategy": TWO_STEPS}, World(20.0, effect=-0.1), timedelta(days=1), ""),
    "gate-worse": ({"analysis": {"mode": "threshold"}}, World(20.0, effect=-0.3), timedelta(days=1), ""),
    "gate-as-good": (
        {"analysis": {"mode": "threshold"}, "strategy": TWO_STEPS},
        World(40.0),
        timedelta(days=1),
        "",
    ),
    "too-few": ({"analysis": SEQUENTIAL | {"onNoEvidence": "Hold"}}, World(0.5), timedelta(hours=4), ""),
    "breaker": (
        {
            "analysis": SEQUENTIAL
            | {"breakers": [{"name": "errors", "errors": {"max": "20%"}, "window": "10m"}]}
        },
        World(10.0, effect=-0.5),
        timedelta(days=1),
        "",
    ),
    "tuned": (
        {"analysis": {"mode": "threshold"}, "strategy": {"selfTuning": {"promoteBelow": "12%"}}},
        World(30.0),
        timedelta(hours=3),
        "",
    ),
    "blind": ({"analysis": SEQUENTIAL}, World(20.0), timedelta(hours=2), "Prometheus didn't answer"),
}
STRIDE = 0.12


def looks(name: str) -> None:
    fields, world, horizon, unavailable = RECIPES[name]
    body = {"agent": "support", "version": "2.0.0", **fields}
    manifest = {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "support"},
        "spec": body,
    }
    (HERE / f"{name}.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    found = simulate(
        RolloutSpec.model_validate(body),
        world,
        seed=name,
        stable="1.0.0",
        pace=Pace(horizon, STRIDE),
        record=True,
    )
    seen = [
        (at, Unavailable(unavailable) if unavailable and number > 20 else counters)
        for number, (at, counters) in enumerate(found.recorded)
    ]
    lines = written(Recording("1.0.0", "2.0.0", tuple(seen)))
    (HERE / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def main(names: list[str]) -> None:
    if "--looks" in names:
        names = [name for name in names if name != "--looks"]
        for name in names or RECIPES:
            looks(name)
    for name in names or sorted(path.stem for path in HERE.glob("*.jsonl")):
        text = json.dumps(decided(name), indent=1, ensure_ascii=False)
        (HERE / f"{name}.decisions.json").write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
