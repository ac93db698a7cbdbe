"""What is counted, against what happened, when an agent's process is killed at work."""

from __future__ import annotations

from collections import Counter

from agent_load import Ledger, misanswered, outcomes
from tests.e2e import faults
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import poll

Cell = tuple[str, str, str]
LABELS = "agentrollouts.io/version=1.0.0"
BEFORE, FEWER = 300, 100
"""Answers before the kill, about half of them the killed pod's; and fewer without an answer than that, or one that counted
its tasks twice would go unseen."""


def _bounds(ledger: Ledger) -> tuple[Counter[Cell], int]:
    """(answered tasks by version, cohort and outcome; tasks without an answer, which may or may not be counted)."""
    seen = outcomes(ledger)
    answered = Counter({key: n for key, n in seen.items() if key[2] != "none"})
    return answered, sum(n for key, n in seen.items() if key[2] == "none")


def test_counters_survive_a_kill_of_the_agents_process(make_space: MakeSpace) -> None:
    space = make_space("e2e-counts")
    space.first(strategy={"steps": [{"share": "30%", "soak": "10m"}]})
    space.users()
    space.met("1.0.0", requests=BEFORE)
    victim = faults.pods(space.kubectl, LABELS)[0]["metadata"]["name"]
    faults.kill_container(space.kubectl, victim, "agent")
    poll(
        lambda: faults.restarts(space.kubectl, victim, "agent"),
        lambda seen: seen == (1, True),
        name="it is back",
        seconds=60,
    )
    space.propose("2.1.0")
    space.until("the rollback", lambda s: (s.get("rejected") or {}).get("version") == "2.1.0")
    ledger = space.leave()
    answered, unknown = _bounds(ledger)
    assert unknown < FEWER, "what the pod was working on, and what reached it before it was known to be gone"
    assert not misanswered(ledger)

    def agree(counts: dict[Cell, int]) -> bool:
        at_least = all(counts.get(key, 0) >= n for key, n in answered.items())
        return at_least and sum(counts.values()) <= answered.total() + unknown

    poll(space.counts, agree, name=f"counts from {answered} with {unknown} unknown", seconds=45)
