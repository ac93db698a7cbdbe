from __future__ import annotations

import pytest
import yaml

from agentrollouts.models.errors import ModelsError
from agentrollouts.models.pins import unpinned
from agentrollouts.models.registry import Source, read_models
from agentrollouts.models.resolve import Used, model_part, problems_of, steps_of
from tests.unit.models.registries import BASE, CANARY, models


def used(step: str, *overrides: str) -> Used:
    return next(each for each in steps_of(models(BASE, *overrides), "support") if each.step == step)


def said(found: Used) -> dict[str, object]:
    return {name: (each.value, str(each.place)) for name, each in found.settings.items()}


def refusal(text: str, *overrides: str) -> str:
    with pytest.raises(ModelsError) as error:
        models(text, *overrides)
    return str(error.value)


def test_every_value_has_the_place_that_it_comes_from() -> None:
    assert said(used("triage")) == {
        "provider": ("openai", "models.yaml: defaults"),
        "name": ("gpt-5-mini", "models.yaml: agents.support.steps.triage"),
        "snapshot": ("2026-05-01", "models.yaml: agents.support.steps.triage"),
        "parameters.temperature": ("0.2", "models.yaml: defaults"),
        "parameters.max_tokens": (1024, "models.yaml: agents.support.defaults"),
    }


def test_the_model_part_has_what_is_used_and_nothing_that_was_taken_away() -> None:
    assert model_part(models(), "support") == {
        "steps": {
            "triage": {
                "provider": "openai",
                "name": "gpt-5-mini",
                "snapshot": "2026-05-01",
                "parameters": {"temperature": "0.2", "max_tokens": 1024},
            },
            "answer": {
                "provider": "openai",
                "name": "gpt-5",
                "snapshot": "2026-05-01",
                "parameters": {"max_tokens": 1024},
            },
        }
    }


def test_an_override_goes_before_the_base_and_a_later_one_before_an_earlier() -> None:
    later = "agents: {support: {steps: {answer: {snapshot: 2026-09-01}}}}"
    changed = used("answer", CANARY, later).settings["snapshot"]
    assert (changed.value, str(changed.place)) == (
        "2026-09-01",
        "override2.yaml: agents.support.steps.answer",
    )
    before = []
    while changed.before is not None:
        changed = changed.before
        before.append(changed.value)
    assert before == ["2026-08-07", "2026-05-01"]
    assert used("triage", CANARY, later).document == used("triage").document


def test_an_agents_default_goes_before_that_of_all_and_a_step_before_both() -> None:
    text = """
defaults: {provider: a, parameters: {x: all, y: all, z: all}}
agents:
  support:
    defaults: {provider: b, parameters: {y: agent, z: agent}}
    steps: {one: {name: m, snapshot: "1", parameters: {z: step}}}
"""
    assert model_part(models(text), "support")["steps"]["one"] == {
        "provider": "b",
        "name": "m",
        "snapshot": "1",
        "parameters": {"x": "all", "y": "agent", "z": "step"},
    }


def test_another_name_doesnt_inherit_the_snapshot_of_the_old_one() -> None:
    override = "agents: {support: {steps: {answer: {name: gpt-6}}}}"
    found = used("answer", override)
    assert "snapshot" not in found.settings
    (problem,) = problems_of(found)
    assert str(problem).startswith(
        "override1.yaml: agents.support.steps.answer: expected a snapshot; 'gpt-6' alone may be another model tomorrow"
    )
    with pytest.raises(ModelsError, match="gpt-6"):
        model_part(models(BASE, override), "support")
    whole = "agents: {support: {steps: {answer: {name: gpt-6, snapshot: 2026-11-01}}}}"
    assert problems_of(used("answer", whole)) == ()


@pytest.mark.parametrize(
    ("name", "snapshot", "words"),
    [
        ("gpt-5", "", "expected a snapshot"),
        ("gpt-5", "latest", "an alias that moves"),
        ("gpt-5", "Preview", "an alias that moves"),
        ("gpt-5", "2.5-latest", "an alias that moves"),
        ("gpt-5", "gpt-5", "only repeats the name"),
        ("gpt-5", "turbo", "a date, a number or a hash"),
        ("chatgpt-4o-latest", "2026-05-01", "without '-latest'"),
        ("llama3:latest", "1", "an alias that moves"),
    ],
)
def test_what_isnt_pinned_is_told_with_what_to_write(name: str, snapshot: str, words: str) -> None:
    why = unpinned(name, snapshot)
    assert why is not None
    assert words in why
    assert "such as 2026-05-01" in why


@pytest.mark.parametrize(
    ("name", "snapshot"),
    [
        ("gpt-5", "2026-05-01"),
        ("claude-opus-4", "20250514"),
        ("gemini-2.5-pro", "002"),
        ("gemini-2.5-flash-preview", "05-20"),
        ("org/model", "sha256:" + "a1" * 32),
        ("latest-and-greatest", "1"),
    ],
)
def test_dates_numbers_and_hashes_are_pins(name: str, snapshot: str) -> None:
    assert unpinned(name, snapshot) is None


def test_a_config_map_has_the_base_and_its_overrides_in_the_order_of_their_names() -> None:
    data = {
        "models.yaml": BASE,
        "20-late.yaml": "agents: {support: {steps: {answer: {snapshot: 2026-09-01}}}}",
        "10-early.yaml": CANARY,
        "README": "not read",
    }
    text = yaml.safe_dump(
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "models"}, "data": data}
    )
    found = read_models(Source("cm.yaml", text))
    assert [source.name for source, _ in found.overrides] == [
        "cm.yaml: 10-early.yaml",
        "cm.yaml: 20-late.yaml",
    ]
    assert model_part(found, "support")["steps"]["answer"]["snapshot"] == "2026-09-01"
    said_so = refusal(yaml.safe_dump({"kind": "ConfigMap", "data": {"x": "y"}}))
    assert said_so == "models.yaml: expected a ConfigMap with the key models.yaml; got x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "models.yaml: expected a mapping with agents; got list"),
        ("agents: {support: {steps: {}}}", "agents.support.steps"),
        (
            "agents: {support: {steps: {a: {snapshot: 20250514}}}}",
            "got the number 20250514: write it in quotes",
        ),
        ("agents: {support: {steps: {a: {modle: x}}}}", "agents.support.steps.a.modle: is not a field here"),
        ("defaults: {name: x}\nagents: {}", "defaults.name: is not a field here"),
        ("agents: {support: {steps: {a: {parameters: {t: 0.2}}}}}", 'such as "0.2"'),
        ("agents: {}\nagents: {}", "given twice"),
        ("agents: [", "line 1: expected YAML"),
    ],
)
def test_a_registry_that_cant_be_read_is_told_by_its_field(text: str, words: str) -> None:
    assert words in refusal(text)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("agents: {suport: {steps: {answer: {snapshot: '1'}}}}", "has no such agent; it has support, writer"),
        (
            "agents: {support: {steps: {anwser: {snapshot: '1'}}}}",
            "no such step of support; it has answer, triage",
        ),
        ("defaults: {provider: x}\nagents: {}", "defaults: is not a field here"),
    ],
)
def test_an_override_that_would_change_nothing_or_everything_is_refused(override: str, words: str) -> None:
    assert words in refusal(BASE, override)


def test_an_agent_that_isnt_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ModelsError, match=r"models.yaml has no agent desk; it has support, writer"):
        model_part(models(), "desk")
