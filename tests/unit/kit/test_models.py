from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentrollouts_kit import Model, model

STEPS = {
    "answer": {
        "provider": "p",
        "name": "large",
        "snapshot": "2026-05-01",
        "parameters": {"t": "0.2", "n": 3},
    },
    "triage": {"provider": "p", "name": "small", "snapshot": "7", "parameters": {}},
}


def mounted(folder: Path, document: object) -> dict[str, str]:
    (folder / "model.json").write_text(json.dumps(document))
    return {"AGENT_RELEASE_DIR": str(folder)}


def test_each_step_has_its_model(tmp_path: Path) -> None:
    env = mounted(tmp_path, {"steps": STEPS})
    found = model("answer", env)
    assert found == Model(provider="p", name="large", snapshot="2026-05-01", parameters={"t": "0.2", "n": 3})
    assert (found.id, model("triage", env).id) == ("large-2026-05-01", "small-7")


def test_a_step_that_isnt_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    env = mounted(tmp_path, {"steps": STEPS})
    for step in ("anwser", ""):
        with pytest.raises(
            ValueError, match=f"model.json has no model for step '{step}'; it has answer, triage"
        ):
            model(step, env)


def test_a_release_with_one_model_has_it_for_every_step(tmp_path: Path) -> None:
    env = mounted(tmp_path, {"provider": "p", "name": "one", "snapshot": "", "parameters": {}})
    assert model("answer", env) == model("", env)
    assert model("answer", env).id == "one"


def test_a_file_goes_before_the_release(tmp_path: Path) -> None:
    env = mounted(tmp_path, {"steps": STEPS})
    own = tmp_path / "mine.json"
    own.write_text(json.dumps({"steps": {"answer": STEPS["triage"]}}))
    assert model("answer", {**env, "AGENT_MODELS_FILE": str(own)}).name == "small"


def test_without_a_release_it_says_what_to_set() -> None:
    with pytest.raises(ValueError, match=r"AGENT_RELEASE_DIR.*AGENT_MODELS_FILE"):
        model("answer", {})


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"steps": {"answer": {"name": "x"}}}', '{"steps": {"answer": 1}}', '{"steps": []}'],
)
def test_a_document_that_is_none_is_told_by_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(ValueError, match=r"model\.json"):
        model("answer", {"AGENT_RELEASE_DIR": str(tmp_path)})
    with pytest.raises(ValueError, match="can't read the models"):
        model("answer", {"AGENT_RELEASE_DIR": str(tmp_path / "no")})
