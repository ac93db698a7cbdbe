"""Analyses by name, so that a few lines are a complete one. What the user writes goes on top, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Literal

from agentrollouts.api.breakers import BreakerSpec
from agentrollouts.api.checks import DEFAULT_CHECKS, CheckSpec

Mode = Literal["sequential", "threshold"]
PresetName = Literal["default", "strict", "lowTraffic", "seed"]

DEFAULT_MODE: Mode = "sequential"
"""How evidence is judged where neither the user nor the preset says."""


@dataclass(frozen=True, slots=True)
class Effective:
    """An analysis with nothing left open: the preset underneath, what the user wrote on top."""

    mode: Mode = DEFAULT_MODE
    false_rollback: int = 500
    """Risk of a rollback of a candidate that isn't worse, in basis points, over the whole rollout."""
    false_promotion: int = 500
    """Risk that a candidate worse by the margin is promoted, in basis points."""
    margin: int = 500
    """How many points of success a candidate may lose and still be as good, in basis points."""
    minimum_sessions: int = 20
    every: timedelta = timedelta(seconds=60)
    """At most this often does the quality gate's verdict count."""
    consecutive: int = 3
    """So many failed looks in a row roll back."""
    at_least: int = 4
    """So many failed looks of the last ``out_of`` roll back."""
    out_of: int = 6
    no_evidence_deadline: timedelta = timedelta(hours=1)
    checks: tuple[CheckSpec, ...] = DEFAULT_CHECKS
    breakers: tuple[BreakerSpec, ...] = ()


_SEED_CHECKS = tuple(
    CheckSpec.model_validate(check)
    for check in (
        {"name": "errors", "weight": 30, "critical": True, "failureRate": {"max": "1%"}},
        {"name": "latency-p99", "weight": 15, "latencyQuantile": {"quantile": "99%", "max": "3s"}},
        {"name": "tools", "weight": 15, "toolFailures": {"max": "5%", "maxIncrease": "100%"}},
        {
            "name": "refusals",
            "weight": 15,
            "events": {"event": "refusal", "max": "5%", "maxIncrease": "100%"},
        },
        {
            "name": "similarity",
            "weight": 10,
            "score": {
                "name": "output_similarity",
                "better": "higher",
                "limit": "85%",
                "maxChange": "100%",
            },
        },
        {
            "name": "toxicity",
            "weight": 15,
            "score": {"name": "toxicity", "better": "lower", "limit": "10%", "maxChange": "100%"},
        },
    )
)
"""Fixed limits and nothing else: an increase of 100 points is never exceeded, so nothing is compared."""

_DEFAULT = Effective()
PRESETS: Mapping[PresetName, Effective] = MappingProxyType(
    {
        "default": _DEFAULT,
        "strict": replace(
            _DEFAULT, false_rollback=1_000, false_promotion=100, margin=300, minimum_sessions=100
        ),
        "lowTraffic": replace(
            _DEFAULT, margin=1_000, minimum_sessions=10, no_evidence_deadline=timedelta(hours=24)
        ),
        "seed": replace(_DEFAULT, mode="threshold", checks=_SEED_CHECKS),
    }
)
