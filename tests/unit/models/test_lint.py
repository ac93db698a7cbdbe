from __future__ import annotations

from typing import get_args

import pytest
from pydantic_ai.models import KnownModelName

from agentrollouts.models.families import Names
from agentrollouts.models.lint import findings_in, is_allowed, names_in, registry_findings
from agentrollouts.models.literals import UnreadableError
from agentrollouts.models.sarif import annotation, sarif
from tests.unit.models.registries import BASE, models

NAMES = Names(["desk-small"])
PYTHON = '''
"""Talks about gpt-5 and nothing else."""
# gpt-5 is only talked about
MODEL = "gpt-5"

def ask(model="openai:gpt-5-mini"):
    """gpt-5"""
    "gpt-5"
    print("ask gpt-5 nicely")
    url = f"claude-sonnet-4-{model}"
    return {"desk-small": 1, "desk-small-2026": 2}, "desk-smaller", (
        "gem" "ini-2.5-pro"
    )
'''


def lines(name: str, text: str) -> list[tuple[int, str]]:
    return [(each.line, each.message.split("'")[1]) for each in findings_in(name, text, NAMES)]


def test_names_in_python_are_found_and_talk_about_them_isnt() -> None:
    assert lines("agent.py", PYTHON) == [
        (4, "gpt-5"),
        (6, "openai:gpt-5-mini"),
        (10, "claude-sonnet-4-"),
        (11, "desk-small"),
        (11, "desk-small-2026"),
        (12, "gemini-2.5-pro"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "a.yaml",
            "# gpt-5\nx:\n  - {model: gpt-5}  # gpt-4\n---\ny: 'claude-opus-4'\ngpt-5: key\nz: use gpt-5\n",
            [3, 5],
        ),
        ("a.yml", "x: |\n  gpt-5\n", [1]),
        ("t.yaml", "{{- if .x }}\nmodel: gpt-5\nother: {{ .y }}\n# model: gpt-5\n{{- end }}\n", [2]),
        ("a.json", '{"gpt-5": 1, "model": "gpt-5",\n "more": ["qwen3-32b", "say \\"gpt-5\\""]}', [1, 2]),
        (
            "a.toml",
            "# 'gpt-5'\n\"gpt-5\" = 1\nmodel = 'gpt-5'\nlist = [\"grok-4\"]\nlong = '''\ngpt-5'''\n",
            [3, 4, 5],
        ),
        (".env", "# MODEL=gpt-5\nexport MODEL=gpt-5 # why\nOTHER='claude-opus-4'\nX=gpt\n", [2, 3]),
        ("prod.env", 'A="gpt-5"\n', [1]),
        (".env.local", "A=gpt-5\n", [1]),
    ],
)
def test_values_of_other_files_are_found_at_their_lines(name: str, text: str, found: list[int]) -> None:
    assert [line for line, _ in lines(name, text)] == found


def test_a_release_may_say_its_own_model_and_nothing_else_in_it() -> None:
    version = "kind: AgentVersion\nspec:\n  release: {model: {name: gpt-5}}\n  template: {env: gpt-5}\n"
    assert [line for line, _ in lines("v.yaml", version)] == [4]
    assert [line for line, _ in lines("v.yaml", version.replace("AgentVersion", "Other"))] == [3, 4]
    assert [line for line, _ in lines("x/release.yaml", "model: {name: gpt-5}\nagent: gpt-5\n")] == [2]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('M = "gpt-5"  # models: allow the price list names it', None),
        ('M = "gpt-5"  # models: allow', "allow-without-reason"),
        ('M = "gpt-5"  # models: allowed', "model-name"),
        ('M = (\n  "gpt"\n  "-5"  # models: allow a test of the tokenizer\n)', None),
        ('# models: allow the line before doesn\'t count\nM = "gpt-5"', "model-name"),
    ],
)
def test_a_name_is_allowed_on_its_line_with_a_reason(line: str, rule: str | None) -> None:
    assert [each.rule for each in findings_in("a.py", line, NAMES)] == ([rule] if rule else [])


def test_a_file_that_isnt_what_its_name_says_isnt_passed_over_in_silence() -> None:
    with pytest.raises(UnreadableError, match="line 2: expected Python"):
        findings_in("a.py", "x = 1\ndef\n", NAMES)


UNKNOWN = {
    "crusoe:yutori/n1.5",
    "typesafe:jev-latest",
    "typesafe:jev-preview",
    "zai:autoglm-phone-multilingual",
    "test",
}
"""Names that look like no family."""


def test_the_table_knows_what_a_library_of_many_providers_knows() -> None:
    known = set(
        get_args(KnownModelName.__value__ if hasattr(KnownModelName, "__value__") else KnownModelName)
    )
    assert len(known) > 300
    assert {name for name in known if Names().provider_of(name) is None} <= UNKNOWN


@pytest.mark.parametrize(
    "text",
    ["Mistral", "mistral", "nova", "claude", "gpt", "phi", "o3", "text", "command", "embed-me", "titan", "llama", "sonnet",
     "gpt-5 is good", "whisper-db", "Gemini", "", "-", "qwen", "phish-1", "a/b/c", "kimi", "command-line", "tts"],
)  # fmt: skip
def test_words_that_arent_models_raise_no_alarm(text: str) -> None:
    assert Names().provider_of(text) is None


def test_a_registrys_names_count_and_what_isnt_pinned_is_found_at_its_line() -> None:
    broken = models(
        BASE.replace('"20250514"', "latest"), "agents: {support: {steps: {triage: {name: other}}}}"
    )
    assert [(each.path, each.line, each.rule) for each in registry_findings(broken)] == [
        ("override1.yaml", 1, "unpinned-model"),
        ("models.yaml", 11, "unpinned-model"),
    ]
    assert registry_findings(models()) == []
    assert names_in(models()) == {"gpt-5", "gpt-5-mini", "claude-opus-4"}


def test_paths_are_allowed_by_pattern_or_folder() -> None:
    assert is_allowed("tests/unit/a.py", ["tests/*"])
    assert is_allowed("tests/unit/a.py", ["tests/"])
    assert is_allowed("tests/unit/a.py", ["tests"])
    assert not is_allowed("my/tests/a.py", ["tests"])
    assert is_allowed("x/model.json", ["*/model.json"])


def test_findings_as_sarif_and_as_annotations() -> None:
    found = findings_in("a,b.py", PYTHON, NAMES)
    document = sarif(found)
    (run,) = document["runs"]
    assert document["version"] == "2.1.0"
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in run["results"]} <= rules
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "a,b.py"}, "region": {"startLine": 4, "startColumn": 9}}
    assert annotation(found[0]).startswith(
        "::error file=a%2Cb.py,line=4,col=9,title=model-name::the model 'gpt-5' (OpenAI)"
    )
