"""What two AgentVersions tell of their difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.agentversion import Release
from agentrollouts.core.changes import LINE, differences, lines
from agentrollouts.core.plan import CreateGate
from tests.builders import climbing, digest, later, look, step
from tests.builders import good as successes

PARTS = ("code", "model", "prompts", "tools", "data")


def release(letter: str = "a", **parts: Any) -> Release:
    plain: dict[str, Any] = {part: {"digest": digest(letter)} for part in PARTS}
    return Release.model_validate({part: plain[part] | parts.get(part, {}) for part in PARTS})


def test_nothing_differs_from_itself() -> None:
    assert differences(release(), release()) == ()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            {"model": {"parameters": {"temperature": "0.2"}}},
            {"model": {"parameters": {"temperature": "0.7"}}},
            'model: parameters.temperature: "0.2" -> "0.7"',
        ),
        ({}, {"model": {"parameters": {"top_p": "1"}}}, 'model: parameters.top_p: new: "1"'),
        ({"model": {"parameters": {"top_p": "1"}}}, {}, 'model: parameters.top_p: removed: "1"'),
        ({"model": {"parameters": {"x": ""}}}, {}, 'model: parameters.x: removed: ""'),
        ({"model": {"name": "a"}}, {"model": {"name": "b"}}, 'model: name: "a" -> "b"'),
        ({}, {"tools": {"names": ["refund"]}}, "! tools: refund: new: a tool it didn't have"),
        ({"tools": {"names": ["refund"]}}, {}, "tools: refund: removed: a tool it had"),
        (
            {},
            {"prompts": {"digest": digest("b")}},
            f"prompts: digest: {digest('a')} -> {digest('b')}",
        ),
        ({}, {"prompts": {"source": "git"}}, "prompts: source: new: git"),
        ({"code": {"image": "x:1"}}, {"code": {"image": "x:2"}}, "code: image: x:1 -> x:2"),
    ],
)
def test_each_difference_is_a_line(old: dict[str, Any], new: dict[str, Any], said: str) -> None:
    assert lines(release(**old), release(**new), 8) == (said,)


def test_what_lets_the_agent_do_more_is_first_and_what_is_left_out_is_counted() -> None:
    old = release(tools={"names": ["zap"]})
    new = release("b", tools={"names": ["a", "b"]}, model={"parameters": {"t": "1"}})
    found = lines(old, new, 4)
    assert [line[0] for line in found[:2]] == ["!", "!"]
    assert found[-1] == "… 6 more"
    assert len(differences(old, new)) == 9
    assert len(lines(old, new, 9)) == 9


def test_words_of_others_hide_nothing_and_have_an_end() -> None:
    evil = "\u202e\x1b[2J" + "x" * 200
    (line,) = lines(release(), release(model={"parameters": {"p" * 64: evil}}), 8)
    assert line.isprintable()
    assert len(line) <= LINE


@given(st.dictionaries(st.text(max_size=64), st.text(max_size=256), max_size=32))
def test_every_line_is_one_line(parameters: dict[str, str]) -> None:
    found = lines(release(), release(model={"parameters": parameters}), 8)
    assert len(found) <= 8
    assert all(line.isprintable() and len(line) <= LINE for line in found)
    assert len(differences(release(), release(model={"parameters": parameters}))) == len(parameters)


def named(s: Any) -> Any:
    """The rollout with what its two AgentVersions say."""
    views = {
        "1.0.0": replace(s.versions["1.0.0"], release=release(model={"parameters": {"t": "0"}})),
        "2.0.0": replace(s.versions["2.0.0"], release=release(model={"parameters": {"t": "1"}})),
    }
    return replace(s, versions=views)


def test_a_gate_and_a_rollback_say_what_differs() -> None:
    notify = [{"name": "all", "on": ["RolledBack"], "webhook": {"ref": "x"}}]
    s = named(climbing(notify=notify, strategy={"steps": [{"share": 5, "soak": "1m"}]}))
    s = later(s, minutes=2)
    _, plan = look(replace(s, evidence=successes(500, s.now)))
    (gate,) = [action.spec for action in plan.actions if isinstance(action, CreateGate)]
    assert gate.changes == ('model: parameters.t: "0" -> "1"',)
    s = step(replace(s, requests=replace(s.requests, abort="now")))
    assert s.status.notices is not None
    assert s.status.notices.pending[0].changes == gate.changes
