"""Presets: what applies when little or nothing is written, and that what is written goes on top."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.analysis import Analysis
from agentrollouts.api.crd import crd
from agentrollouts.api.kinds import ROLLOUT
from agentrollouts.api.presets import DEFAULT_MODE, PRESETS


def effective(**fields: Any) -> Any:
    return Analysis.model_validate(fields).effective


def test_nothing_written_is_the_preset_default() -> None:
    found = effective()
    assert found == PRESETS["default"] == effective(preset="default")
    assert found.mode == DEFAULT_MODE
    assert [check.name for check in found.checks] == [
        "success",
        "cost",
        "latency",
        "tools",
        "tool-mix",
        "refusals",
    ]
    assert (found.consecutive, found.at_least, found.out_of) == (3, 4, 6)
    assert found.every == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("preset", "fields"),
    [
        (
            "strict",
            {"false_rollback": 1_000, "false_promotion": 100, "margin": 300, "minimum_sessions": 100},
        ),
        (
            "lowTraffic",
            {"margin": 1_000, "minimum_sessions": 10, "no_evidence_deadline": timedelta(hours=24)},
        ),
        ("seed", {"mode": "threshold", "consecutive": 3, "every": timedelta(seconds=60)}),
    ],
)
def test_a_preset_speaks_where_the_user_is_silent(preset: str, fields: dict[str, Any]) -> None:
    found = effective(preset=preset)
    assert {name: getattr(found, name) for name in fields} == fields


def test_each_field_that_is_written_goes_on_top_and_no_other_changes() -> None:
    found = effective(
        preset="strict", margin="7%", errorBudget={"falsePromotion": "2%"}, failures={"consecutive": 1}
    )
    assert (found.margin, found.false_promotion, found.false_rollback) == (700, 200, 1_000)
    assert (found.consecutive, found.at_least, found.minimum_sessions) == (1, 4, 100)


def test_five_lines_are_a_complete_analysis() -> None:
    found = effective(preset="lowTraffic", checks=[{"name": "success", "successRate": {}}], breakers=[_SPEND])
    assert [check.name for check in found.checks] == ["success"]
    assert [breaker.name for breaker in found.breakers] == ["spend"]
    assert found.margin == 1_000


_SPEND = {"name": "spend", "cost": {"maxPerTask": "0.25"}}


def test_the_checks_of_the_seed_are_fixed_limits() -> None:
    members = dict(check.member for check in PRESETS["seed"].checks)
    assert members["failureRate"].max == 100  # type: ignore[attr-defined]
    assert members["latencyQuantile"].max == timedelta(seconds=3)  # type: ignore[attr-defined]
    assert members["toolFailures"].max == 500  # type: ignore[attr-defined]
    assert members["events"].max == 500  # type: ignore[attr-defined]
    assert sum(check.effective_weight for check in PRESETS["seed"].checks) == 100


@pytest.mark.parametrize(
    ("kind", "weight", "critical"),
    [
        ({"successRate": {}}, 60, True),
        ({"cost": {}}, 15, False),
        ({"latency": {}}, 15, False),
        ({"toolFailures": {}}, 5, False),
        ({"events": {"event": "refusal"}}, 5, False),
        ({"successRate": {}, "weight": 1, "critical": False}, 1, False),
        ({"cost": {}, "critical": True}, 15, True),
    ],
)
def test_a_kind_has_a_weight_of_its_own(kind: dict[str, Any], weight: int, critical: bool) -> None:
    (check,) = effective(checks=[{"name": "x", **kind}]).checks
    assert (check.effective_weight, check.is_critical) == (weight, critical)


def test_the_server_fills_in_nothing_that_a_preset_says() -> None:
    spec = crd(ROLLOUT)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    schema = spec["properties"]["analysis"]["properties"]
    filled = {name for name, node in schema.items() if "default" in node}
    assert filled == {"preset", "interval", "window", "onNoEvidence"}
    inner = {
        name: node
        for part in ("errorBudget", "failures")
        for name, node in schema[part]["properties"].items()
    }
    assert not [name for name, node in inner.items() if "default" in node]
