"""The cases of the corpus, and what a replay of one says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.planning.recording import read, replay
from agentrollouts.planning.simulation import Journal

HERE = Path(__file__).parent
NAMES = tuple(sorted(path.stem for path in HERE.glob("*.jsonl")))


def spec_of(name: str) -> RolloutSpec:
    return RolloutSpec.model_validate(yaml.safe_load((HERE / f"{name}.yaml").read_text())["spec"])


def decided(name: str) -> dict[str, Any]:
    """The outcome, and each look that said something new with the verdicts behind it."""
    recording = read((HERE / f"{name}.jsonl").read_text().splitlines())
    outcome, looks = replay(spec_of(name), recording)
    journal = Journal()
    for look in looks:
        journal.add(look)
    return {
        "outcome": outcome,
        "looks": [
            {
                "at": look.at.isoformat(),
                "share": look.share,
                "decision": type(look.decision).__name__,
                "reason": look.decision.reason,
                "message": look.decision.message,
                "checks": {result.name: result.verdict.value for result in look.results},
            }
            for look in journal.looks()
        ],
    }


def expected(name: str) -> dict[str, Any]:
    """What the case led to when it was last renewed."""
    found: dict[str, Any] = json.loads((HERE / f"{name}.decisions.json").read_text())
    return found
