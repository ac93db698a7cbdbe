"""`models show` and `models render`, and how one line of a registry becomes another release."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentrollouts.release.source import read_source
from tests.releases import directory
from tests.unit.cli.runs import refused, run
from tests.unit.models.registries import BASE, CANARY


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models.yaml").write_text(BASE)
    (tmp_path / "canary.yaml").write_text(CANARY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def released(folder: Path, name: str, *options: str, version: str = "2.1.0") -> Path:
    made = directory(folder / name, version=version, model="model.json")
    assert run("models", "render", "support", *options, "-o", str(made / "model.json")).exit_code == 0
    return made


def test_one_line_of_the_registry_is_another_release_and_only_its_model_differs(folder: Path) -> None:
    old = released(folder, "old")
    (folder / "models.yaml").write_text(
        BASE.replace("{name: gpt-5, snapshot: 2026-05-01", "{name: gpt-5, snapshot: 2026-08-07")
    )
    new = released(folder, "new", version="2.2.0")
    before, after = read_source(old), read_source(new)
    assert {part for part, digest in before.parts.items() if digest != after.parts[part]} == {"model"}
    assert before.digest != after.digest
    lines = run("diff", str(old), str(new)).stdout.splitlines()
    assert lines[2:] == ['  model: steps.answer.snapshot: "2026-05-01" -> "2026-08-07"']


def test_an_override_is_the_same_release_as_the_line_it_stands_for(folder: Path) -> None:
    candidate = released(folder, "candidate", "--override", "canary.yaml")
    (folder / "models.yaml").write_text(
        BASE.replace("{name: gpt-5, snapshot: 2026-05-01", "{name: gpt-5, snapshot: 2026-08-07")
    )
    assert read_source(candidate).digest == read_source(released(folder, "settled")).digest


def test_an_agent_version_says_which_model_each_step_uses(folder: Path) -> None:
    built = run("release", "build", str(released(folder, "old"))).stdout
    assert (
        "steps:\n      - step: answer\n        provider: openai\n        name: gpt-5\n        snapshot: 2026"
        in built.replace("'", "")
    )
    assert "step: triage" in built


def test_a_rendered_file_that_is_behind_the_registry_is_found(folder: Path) -> None:
    assert run("models", "render", "support", "-o", "model.json").exit_code == 0
    assert run("models", "render", "support", "-o", "model.json", "--check").exit_code == 0
    written = (folder / "model.json").read_bytes()
    error = refused("models", "render", "support", "--override", "canary.yaml", "-o", "model.json", "--check")
    assert (error.status, "model.json isn't what the registry says" in str(error)) == (1, True)
    assert (folder / "model.json").read_bytes() == written
    assert refused("models", "render", "support", "--check").status == 2


def test_show_says_where_each_value_comes_from_and_what_it_replaces(folder: Path) -> None:
    found = run("models", "show", "support", "--step", "answer", "--override", "canary.yaml")
    assert [line.split() for line in found.stdout.splitlines()] == [
        ["answer"],
        ["provider", "openai", "models.yaml:", "defaults"],
        ["name", "gpt-5", "models.yaml:", "agents.support.steps.answer"],
        [
            "snapshot",
            "2026-08-07",
            "canary.yaml:",
            "agents.support.steps.answer",
            "(instead",
            "of",
            "2026-05-01",
            "of",
            "models.yaml:",
            "agents.support.steps.answer)",
        ],
        ["parameters.max_tokens", "1024", "models.yaml:", "agents.support.defaults"],
        [
            "parameters.temperature",
            "not",
            "sent",
            "models.yaml:",
            "agents.support.steps.answer",
            "(instead",
            "of",
            "0.2",
            "of",
            "models.yaml:",
            "defaults)",
        ],
    ]
    told = json.loads(run("models", "show", "support", "--override", "canary.yaml", "-o", "json").stdout)
    assert told["steps"]["answer"]["snapshot"]["from"][1]["value"] == "2026-05-01"


def test_show_shows_what_isnt_pinned_and_fails(folder: Path) -> None:
    (folder / "models.yaml").write_text(BASE.replace('"20250514"', "latest"))
    shown = run("models", "show", "writer").stdout.splitlines()
    assert shown[3].split()[:2] == ["snapshot", "latest"]
    error = refused("models", "show", "writer")
    assert "agents.writer.steps.draft: the snapshot 'latest' is an alias that moves" in str(error)
    assert "alias that moves" in str(refused("models", "render", "writer", "-o", "model.json"))
    assert not (folder / "model.json").exists()
    assert "it has triage, answer" in str(refused("models", "show", "support", "--step", "x"))


def test_the_registry_comes_from_standard_input_as_kubectl_prints_it(folder: Path) -> None:
    text = json.dumps({"kind": "ConfigMap", "data": {"models.yaml": BASE}})
    assert (
        run("models", "render", "support", "--registry", "-", text=text).stdout
        == run("models", "render", "support").stdout
    )


def test_an_artifact_with_one_model_has_the_digest_that_it_always_had(folder: Path) -> None:
    # The document of a single model says nothing of steps.
    content = read_source(directory(folder / "single")).model.content
    assert b"steps" not in content


@pytest.fixture
def code(folder: Path) -> Path:
    (folder / "app" / ".hidden").mkdir(parents=True)
    (folder / "app" / "agent.py").write_text('M = "gpt-5"\n')
    (folder / "app" / ".hidden" / "other.py").write_text('M = "gpt-5"\n')
    (folder / "app" / "notes.md").write_text("gpt-5\n")
    return folder


def test_lint_finds_a_name_and_the_registry_itself_may_have_it(code: Path) -> None:
    found = run("models", "lint", ".", "--registry", "models.yaml", "--override", "canary.yaml")
    assert found.exit_code == 1
    assert found.stdout.startswith(
        "app/agent.py:1:5: model-name: the model 'gpt-5' (the registry) is named here"
    )
    assert found.stdout.count("\n") == 1
    assert found.stderr == "1 files read, 1 problem(s)\n"
    assert run("models", "lint", "app", "--allow", "app/agent.py").exit_code == 0
    (code / "app" / "agent.py").write_text("M = model('answer')\n")
    assert run("models", "lint", ".", "--registry", "models.yaml", "--override", "canary.yaml").exit_code == 0


def test_lint_tells_of_an_unpinned_model_even_where_code_names_none(code: Path) -> None:
    (code / "models.yaml").write_text(BASE.replace('"20250514"', "latest"))
    found = run("models", "lint", "canary.yaml", "--registry", "models.yaml", "--allow", "canary.yaml")
    assert (found.exit_code, found.stdout.split(": ")[0]) == (1, "models.yaml:11:1")


def test_lint_of_what_cant_be_read_is_2_and_the_rest_is_still_found(code: Path) -> None:
    (code / "app" / "broken.py").write_text("def\n")
    found = run("models", "lint", "app")
    assert (found.exit_code, found.stdout.count("model-name")) == (2, 1)
    assert "! app/broken.py: not read: line 1: expected Python" in found.stderr
    for options in (("no",), ("app", "--override", "canary.yaml"), ("app", "--registry", "app/agent.py")):
        assert refused("models", "lint", *options).status == 2


def test_lint_as_json_sarif_and_annotations(code: Path) -> None:
    assert [each["line"] for each in json.loads(run("models", "lint", "app", "--format", "json").stdout)] == [
        1
    ]
    document = json.loads(run("models", "lint", "app", "--format", "sarif").stdout)
    assert [each["ruleId"] for each in document["runs"][0]["results"]] == ["model-name"]
    assert run("models", "lint", "app", "--format", "github").stdout.startswith(
        "::error file=app/agent.py,line=1,"
    )
