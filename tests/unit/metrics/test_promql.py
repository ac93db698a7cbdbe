"""The texts: what they select, and that no name can break out of its quotes."""

from __future__ import annotations

import pytest

from agentrollouts.core.evidence import CounterQuery
from agentrollouts.metrics.promql import NAMED, complaint, every, newest, selector
from agentrollouts.ports import AgentKey


def test_a_few_agents_are_named_and_matched_as_a_whole() -> None:
    agents = [AgentKey("shop", "support"), AgentKey("bank", "billing")]
    assert selector(["agent_tasks_total"], agents) == (
        'agent_tasks_total{agent=~"billing|support",namespace=~"bank|shop"}'
    )


def test_many_agents_are_not_named_and_their_namespaces_still_are() -> None:
    agents = [AgentKey("shop", f"agent-{n}") for n in range(NAMED + 1)]
    assert selector(["x"], agents) == 'x{agent!="",namespace=~"shop"}'
    assert selector(["x"], agents[:NAMED]).count("|") == NAMED - 1


def test_names_are_quoted_for_both_languages() -> None:
    text = selector(["x"], [AgentKey("a.b", 'c"|\\d')], matchers={"cluster": 'e"\\\n'})
    assert text == r'x{agent=~"c\"\\|\\\\d",namespace=~"a\\.b",cluster="e\"\\\n"}'


def test_no_text_has_a_rate() -> None:
    selected = selector(["x"], [AgentKey("shop", "support")])
    assert newest(selected, seconds=120).endswith(f"(last_over_time({selected}[120s]))")
    assert every(selected, seconds=9) == f"{selected}[9s]"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (CounterQuery("agent_tasks_total", "outcome"), ""),
        (CounterQuery("ns:agent:rule"), ""),
        (CounterQuery("1st"), "metric name"),
        (CounterQuery("x\n"), "metric name"),
        (CounterQuery("x", "a:b"), "label name"),
    ],
)
def test_complaints(query: CounterQuery, words: str) -> None:
    assert words in complaint(query)
    assert bool(words) == bool(complaint(query))
