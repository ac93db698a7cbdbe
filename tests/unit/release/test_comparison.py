"""Two releases in ConfigMaps: compared as `diff` does, and only if they are what was promised."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.core.texts import MOST_LINES
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.comparison import compared
from agentrollouts.release.configmap import configmap_of
from agentrollouts.release.diff import diff
from agentrollouts.release.diff_report import report
from agentrollouts.release.errors import IntegrityError, ReleaseError
from agentrollouts.release.source import read_source
from tests.releases import directory, tool


@pytest.fixture
def both(tmp_path: Path) -> tuple[Artifact, Artifact]:
    new = directory(tmp_path / "new", tools=[tool(), tool("refund", sideEffects="unsafe")])
    (new / "prompts" / "system.md").write_text("You are a support agent.\nBe kind.\n")
    return read_source(directory(tmp_path / "old", version="2.0.0")), read_source(new)


def lines(both: tuple[Artifact, Artifact], old: Any = None, new: Any = None) -> str:
    return compared(
        old or configmap_of(both[0]),
        new or configmap_of(both[1]),
        old_digest=both[0].digest,
        new_digest=both[1].digest,
    )


def test_it_says_what_the_verb_says_below_its_heading(both: tuple[Artifact, Artifact]) -> None:
    heading, rest = (
        report(*both, diff(*both)).split("\n", 2)[:2],
        report(*both, diff(*both)).split("\n", 2)[2],
    )
    assert all(both[n].digest in line for n, line in enumerate(heading))
    assert lines(both) == rest
    assert "-Be brief.\n+Be kind.\n" in rest


def test_another_release_under_its_name_is_refused(both: tuple[Artifact, Artifact]) -> None:
    with pytest.raises(IntegrityError, match=f"expected {both[1].digest}"):
        lines(both, new=configmap_of(both[0]))


@pytest.mark.parametrize("data", [None, {}, {"manifest.json": "{}"}, "x"])
def test_what_is_no_release_is_refused(both: tuple[Artifact, Artifact], data: Any) -> None:
    with pytest.raises(IntegrityError):
        lines(both, old={"kind": "ConfigMap", "data": data})


def test_a_text_that_was_changed_is_refused(both: tuple[Artifact, Artifact]) -> None:
    forged = copy.deepcopy(configmap_of(both[1]))
    forged["data"]["prompts.json"] = forged["data"]["prompts.json"].replace("kind", "rude")
    with pytest.raises(IntegrityError, match="part prompts"):
        lines(both, new=forged)


def test_only_texts_that_differ_count_as_work(tmp_path: Path) -> None:
    folders = [
        directory(tmp_path / name, version=version) for name, version in (("a", "1.0.0"), ("b", "2.0.0"))
    ]
    for folder in folders:
        (folder / "prompts" / "long.md").write_text("rule\n" * MOST_LINES)
    (folders[1] / "prompts" / "system.md").write_text("You are kind.\n")
    same = read_source(folders[0]), read_source(folders[1])
    assert "+You are kind.\n" in lines(same)
    (folders[1] / "prompts" / "long.md").write_text("rule\n" * MOST_LINES + "more\n")
    with pytest.raises(ReleaseError, match=f"at most {MOST_LINES} are compared here"):
        lines((same[0], read_source(folders[1])))
