from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from agentrollouts.api.agentversion import AgentVersionSpec
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.release.digest import digest_of
from support_agent import release
from support_agent.release import SAMPLES, Sample, agent_version

MANIFESTS = Path(__file__).parents[3] / "agents" / "support" / "manifests"


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.version)
def test_a_committed_manifest_has_the_digests_of_what_is_shipped(sample):
    manifest = yaml.safe_load((MANIFESTS / f"support-{sample.version}.yaml").read_text())
    assert manifest == agent_version(sample)
    spec = AgentVersionSpec.model_validate(manifest["spec"])
    assert manifest["metadata"]["name"] == f"{spec.agent}-{spec.version}"


def test_each_sample_is_another_release():
    digests = {
        digest_of(AgentVersionSpec.model_validate(agent_version(sample)["spec"]).release)
        for sample in SAMPLES
    }
    assert len(digests) == len(SAMPLES)


def test_the_rollout_is_a_valid_one():
    manifest = yaml.safe_load((MANIFESTS / "rollout.yaml").read_text())
    spec = RolloutSpec.model_validate(manifest["spec"])
    assert manifest["metadata"]["name"] == spec.agent == "support"
    assert spec.version == SAMPLES[0].version


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("prompts", ("instructions_of", lambda _: "Be nice.")),
        ("tools", ("TOOLS", release.TOOLS[:-1])),
        ("data", ("DATA_FILES", ("faq.json",))),
    ],
)
def test_a_change_of_a_part_changes_its_digest_alone(monkeypatch, part, change):
    before = agent_version(SAMPLES[0])["spec"]["release"]
    monkeypatch.setattr(release, *change)
    after = agent_version(SAMPLES[0])["spec"]["release"]
    assert {name for name in before if before[name]["digest"] != after[name]["digest"]} == {part}


def test_the_image_s_digest_is_the_code_s(capsys):
    code = f"sha256:{'ab' * 32}"
    release.main(["--version", "9.0.0", "--profile", "good", "--code-digest", code])
    printed = json.loads(capsys.readouterr().out)
    assert printed["spec"]["release"]["code"]["digest"] == code
    assert printed == agent_version(Sample(version="9.0.0", profile="good", rationale=""), code_digest=code)
