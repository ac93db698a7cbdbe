"""The kit, the release room and the operator: three readers of the same documents and the same sentence, without common code."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings

from agentrollouts.core.evidence import Unavailable
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.configmap import configmap_of
from agentrollouts.release.source import read_source
from agentrollouts.runtime import children
from agentrollouts.runtime.loading import QUERY, reports
from agentrollouts.runtime.views import Place
from agentrollouts_kit import Identity
from agentrollouts_kit import release as kit
from agentrollouts_kit.release import ReleaseMismatchError, load_release, read_release, release_families
from tests.contract.counters import NOW, before
from tests.contract.loaded_prometheus import Sample, running_prometheus, source_as_of
from tests.property.test_release import artifacts
from tests.releases import directory

PARTS: Mapping[str, str] = {
    "code": f"sha256:{'c' * 64}",
    "model": "sha256:6157d7780402e6a2a56e838f1347477eee6890f5483b25a3845b8e375f666f8b",
    "prompts": "sha256:baf5ab4e0760f7b9cca33012c767c9f3d33cf99759332e2cb81dc1cd6da13634",
    "tools": "sha256:73b6883b195ed9fcf393242a2bbc33a8e986ba52b21010e4c9794471179cfdfb",
    "data": "sha256:a3ac82a2fd7f2b07fc32a57cd29687225743b5f0182e334242830d5d94caf739",
}
"""Of tests/releases.py; ``sha256sum`` says the same of the documents."""
ARTIFACT = "sha256:03531dbc63bab97151f1b653bc1eab1c9b3a3264fed31561c02f0a55971466d8"
OTHER = f"sha256:{'0' * 64}"


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def mounted(artifact: Artifact, folder: Path) -> Path:
    for name, text in configmap_of(artifact)["data"].items():
        (folder / name).write_bytes(text.encode())
    return folder


@settings(max_examples=100)
@given(artifacts)
def test_kit_and_release_agree_on_every_digest(artifact: Artifact) -> None:
    with tempfile.TemporaryDirectory() as name:
        loaded = read_release(mounted(artifact, Path(name)))
    assert dict(loaded.parts) == artifact.parts
    assert loaded.digest == artifact.digest
    assert dict(loaded.prompts) == artifact.prompts.files


@pytest.mark.parametrize("data", ["", "source"], ids=["as the release names it", "as it is read"])
def test_the_digests_are_those_of_every_other_machine(data: str, folder: Path) -> None:
    artifact = read_source(directory(folder / "source"))
    loaded = read_release(mounted(artifact, folder), str(folder / data) if data else "")
    assert (artifact.parts, artifact.digest) == (PARTS, ARTIFACT)
    assert (dict(loaded.parts), loaded.digest) == (PARTS, ARTIFACT)


@pytest.mark.parametrize("state", ["state", "lastState"])
def test_the_operator_reads_what_the_kit_leaves_behind(state: str, folder: Path) -> None:
    log = folder / "termination-log"
    log.touch()
    env = {
        "AGENT_RELEASE_DIR": str(mounted(read_source(directory(folder / "source")), folder)),
        "AGENT_RELEASE_DIGEST": OTHER,
        "AGENT_TERMINATION_LOG": str(log),
    }
    with pytest.raises(ReleaseMismatchError):
        load_release(env)
    ended = {state: {"terminated": {"exitCode": 2, "message": log.read_text()}}}
    pod = {"metadata": {"name": "p"}, "status": {"containerStatuses": [{"name": "agent", **ended}]}}
    assert children.pod(pod).refused == ARTIFACT


@pytest.mark.asyncio
async def test_a_real_prometheus_answers_the_operators_query_about_what_the_kit_exposes(folder: Path) -> None:
    release = mounted(read_source(directory(folder / "source")), folder)
    load_release({"AGENT_RELEASE_DIR": str(release)})
    try:
        (family,) = release_families(Identity("support", "2.1.0"))
    finally:
        kit._in_use = None
    (exposed,) = family.samples
    # As the chart's Prometheus writes it: the pod's labels win over what the agent says of itself.
    scraped = [
        Sample(exposed.name, {**exposed.labels, "namespace": "shop", "pod": pod}, before(ago), exposed.value)
        for pod, ago in (("p-0", 10), ("p-1", 10), ("long-gone", 3_600))
    ]
    scraped.append(Sample(exposed.name, {"namespace": "shop", "pod": "p-2"}, before(10), 1.0))
    with running_prometheus(folder, scraped) as url:
        async with source_as_of(url, lambda: NOW) as source:
            rows = await source.ask(QUERY)
    assert not isinstance(rows, Unavailable)
    assert reports(rows) == {Place("shop", "p-0"): ARTIFACT, Place("shop", "p-1"): ARTIFACT}
