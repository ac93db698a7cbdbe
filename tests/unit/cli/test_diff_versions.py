"""`diff` between AgentVersions: an API server that has them, and sometimes their texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.release.artifact import Artifact, agent_version
from agentrollouts.release.configmap import configmap_of
from agentrollouts.release.source import read_source
from tests.releases import directory, tool
from tests.unit.cli.runs import refused, run

Put = Callable[[str, dict[str, Any]], None]


@pytest.fixture
def artifacts(tmp_path: Path) -> tuple[Artifact, Artifact]:
    old = directory(tmp_path / "old", version="2.0.0")
    new = directory(tmp_path / "new", tools=[tool(), tool("refund", sideEffects="unsafe")])
    (new / "prompts" / "system.md").write_text("You are a support agent.\nBe kind.\n")
    return read_source(old), read_source(new)


def have(objects: dict[str, Any], artifact: Artifact, *, texts: bool) -> None:
    body = agent_version(artifact)
    body["spec"]["deploymentRef"] = {"name": "support"}
    objects[f"/apis/agentrollouts.io/v1alpha1/namespaces/shop/agentversions/{artifact.name}"] = body
    if texts:
        configmap = configmap_of(artifact)
        objects[f"/api/v1/namespaces/shop/configmaps/{configmap['metadata']['name']}"] = configmap


def test_texts_in_the_namespace_are_compared_line_by_line(
    objects: dict[str, Any], artifacts: tuple[Artifact, Artifact], tmp_path: Path
) -> None:
    for artifact in artifacts:
        have(objects, artifact, texts=True)
    found = run("diff", "support-2.0.0", "support-2.1.0")
    assert found.stderr == ""
    assert "-Be brief.\n+Be kind.\n" in found.stdout
    assert found.stdout == run("diff", str(tmp_path / "old"), str(tmp_path / "new")).stdout
    assert run("diff", "support-2.0.0", str(tmp_path / "new")).stdout == found.stdout


def test_without_texts_the_specs_are_compared(
    objects: dict[str, Any], artifacts: tuple[Artifact, Artifact]
) -> None:
    have(objects, artifacts[0], texts=True)
    have(objects, artifacts[1], texts=False)
    found = run("diff", "support-2.0.0", "support-2.1.0")
    assert "the texts of 2.1.0 can't be compared: there is no ConfigMap support-2.1.0-" in found.stderr
    assert "! tools: refund: new" in found.stdout
    assert (
        f"prompts: digest: {artifacts[0].parts['prompts']} -> {artifacts[1].parts['prompts']}" in found.stdout
    )
    document = json.loads(run("diff", "support-2.0.0", "support-2.1.0", "-o", "json").stdout)
    assert document["new"]["digest"] == artifacts[1].digest
    assert document["changes"][0] == {
        "part": "tools",
        "subject": "refund",
        "old": None,
        "new": "a tool it didn't have",
        "grants": True,
        "lines": [],
    }


def test_texts_of_another_release_are_refused(
    objects: dict[str, Any], artifacts: tuple[Artifact, Artifact]
) -> None:
    old, new = artifacts
    for artifact in artifacts:
        have(objects, artifact, texts=True)
    name = configmap_of(new)["metadata"]["name"]
    objects[f"/api/v1/namespaces/shop/configmaps/{name}"] = configmap_of(old)
    assert f"expected {new.digest}" in str(refused("diff", "support-2.0.0", "support-2.1.0"))


def test_a_name_that_is_nowhere_is_named(objects: dict[str, Any]) -> None:
    said = str(refused("diff", "support-9.9.9", "support-9.9.8"))
    assert "there is no support-9.9.9 here, and none in namespace shop" in said
