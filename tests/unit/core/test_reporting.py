"""What a status says of a decision that goes on."""

from __future__ import annotations

from dataclasses import replace

from agentrollouts.core.checks import CheckResult, Verdict
from agentrollouts.core.decision import Hold
from agentrollouts.core.gates import gate_state
from agentrollouts.core.planner import make_plan, settled
from tests.builders import climbing, later

PASS, WARN = Verdict.PASS, Verdict.WARN
Look = dict[str, tuple[Verdict, str]]


def told(*looks: Look) -> list[str]:
    """The sentence of the status after each of these looks, all of which hold because checks warn."""
    s, sentences = climbing(analysis={"mode": "sequential"}), []
    for verdicts in looks:
        s = settled(later(s, minutes=1))
        results = tuple(CheckResult(name, verdict, why) for name, (verdict, why) in verdicts.items())
        why = "; ".join(f"{result.name}: {result.reason}" for result in results if result.blocks)
        status = make_plan(s, results, gate_state(s), Hold("ChecksWarn", why)).status
        assert status.decision is not None
        sentences.append(status.decision.message)
        s = replace(s, status=status)
    return sentences


def test_a_number_that_moves_changes_no_sentence() -> None:
    first, second = (
        {"success": (WARN, "-9.1 points")},
        {"success": (WARN, "-8.7 points")},
    )
    assert told(first, second) == ["success: -9.1 points"] * 2


def test_a_check_that_comes_to_warn_beside_another_is_told() -> None:
    before: Look = {"success": (WARN, "-9.1 points"), "tool-mix": (PASS, "alike")}
    after: Look = {"success": (WARN, "-8.7 points"), "tool-mix": (WARN, "40 % apart")}
    assert told(before, after) == ["success: -9.1 points", "success: -8.7 points; tool-mix: 40 % apart"]


def test_a_check_that_passes_again_is_not_told_any_longer() -> None:
    before: Look = {"success": (WARN, "-9.1 points"), "tool-mix": (WARN, "40 % apart")}
    after: Look = {"success": (PASS, "alike"), "tool-mix": (WARN, "41 % apart")}
    assert told(before, after)[-1] == "tool-mix: 41 % apart"
