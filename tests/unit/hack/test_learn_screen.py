"""What the second demo shows of a run, of two prompts and of a gate; and what it makes of a run's log."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from agents.author.scripts import GAMING, GOOD, SCRIPTS
from hack.demo.kubectl import KubectlError
from hack.learn import improver, manifests, screen

OLD, NEW = manifests.WEAK, SCRIPTS[GOOD].revised_system_prompt
GATE = {
    "metadata": {"name": "support-1.0.1-p1-2"},
    "spec": {
        "requestedBy": "system:serviceaccount:agent-rollouts:agent-rollouts-improver",
        "rationale": "Records are read first.\ntasks that failed, right with this prompt: 97 of 100, before: 0",
        "changes": ["prompts: digest: sha256:aa -> sha256:bb"],
        "proofs": [{"name": "golden", "kind": "eval", "verdict": "PASS", "message": "Score 1.0000"}],
        "evidence": [
            {"cohort": "candidate", "version": "1.0.1-p1", "tasks": 200, "successRate": "99.0%"},
            {"cohort": "control", "version": "1.0.0", "tasks": 190, "successRate": "69.5%"},
            {"cohort": "stable", "version": "1.0.0", "tasks": 0, "successRate": ""},
        ],
    },
}


def shown(item: RenderableType) -> str:
    console = Console(file=StringIO(), width=200, record=True)
    console.print(item)
    return console.export_text()


def test_a_gate_shows_why_what_changed_and_how_often_both_versions_fail() -> None:
    text = shown(screen.gate(GATE, OLD, NEW))
    for part in ("agent-rollouts-improver", "97 of 100", "sha256:bb", "golden PASS", "1.0%", "30.5%"):
        assert part in text
    assert "- You answer customers of a furniture shop. Be brief" in text
    assert "+ Look an order up before you say anything about it" in text
    assert [row[3] for row in screen.failure_rates(GATE)] == ["1.0%", "30.5%", "-"]


def test_lines_of_two_prompts_tell_what_is_gone_new_and_the_same() -> None:
    lines = screen.prompt_lines(NEW, SCRIPTS[GAMING].revised_system_prompt)
    assert [line[0] for line in lines if "efund" in line] == ["-", "+"]
    assert sum(line.startswith("  ") for line in lines) == 4


def test_a_run_shows_its_reason_its_trial_and_its_cost() -> None:
    said = {
        "action": "refused",
        "reason": "NoProposal",
        "message": "of 100 tasks …",
        "turns": 1,
        "cost_usd": 0.0612,
    }
    text = shown(screen.outcome(said))
    assert "refused  NoProposal" in text
    assert "1 turn, 0.061200 USD" in text


@pytest.mark.parametrize("log", ["", "Traceback\nValueError", '{"action": "hold"}', "[1]"])
def test_a_log_without_an_outcome_is_an_error_that_names_the_job(log: str) -> None:
    with pytest.raises(KubectlError, match="improve-good"):
        improver.outcome_in(log, "improve-good")
    said = {"action": "hold", "reason": "TooSoon", "message": "later"}
    assert improver.outcome_in(f"{log}\n{json.dumps(said)}\n", "improve-good") == said


def test_versions_differ_in_their_prompt_and_in_nothing_else() -> None:
    first, second = (manifests.version("1.0.0", OLD), manifests.version("1.0.1-p1", NEW))
    assert (manifests.prompt_of(first), manifests.prompt_of(second)) == (OLD, NEW)
    parts = [
        part for part, value in first["spec"]["release"].items() if value != second["spec"]["release"][part]
    ]
    assert parts == ["prompts"]
