"""The agent as a process that is given its release: it serves what was promised, or nothing."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from agentrollouts.release.configmap import configmap_of
from agentrollouts.release.source import read_source
from tests.releases import directory
from tests.unit.support.test_process import DEADLINE_SECONDS, start, wait_ready

__all__ = ["start"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    source = directory(tmp_path / "source")
    (source / "prompts" / "good.md").write_text("Answer from the records alone.\n")
    artifact = read_source(source)
    mounted, log = tmp_path / "mounted", tmp_path / "termination-log"
    mounted.mkdir()
    log.touch()
    for name, text in configmap_of(artifact)["data"].items():
        (mounted / name).write_bytes(text.encode())
    return {
        "AGENT_RELEASE_DIR": str(mounted),
        "AGENT_RELEASE_DIGEST": artifact.digest,
        "AGENT_TERMINATION_LOG": str(log),
        "SUPPORT_MODEL": "offline",
        "OPENAI_API_KEY": "",
    }


def test_the_promised_release_is_served_and_reported(start, env):
    process, url = start(**env, AGENT_METRICS_PORT="0", SUPPORT_PROFILE="good")
    wait_ready(process, url)
    assert httpx.post(f"{url}/v1/tasks", json={"text": "Where is my order A-1004?"}).status_code == 200


def test_another_release_never_becomes_ready(start, env):
    path = Path(env["AGENT_RELEASE_DIR"]) / "prompts.json"
    path.write_bytes(path.read_bytes().replace(b"records alone", b"records, or not"))
    process, url = start(**env)
    _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 2
    assert "DigestMismatch: loaded sha256:" in stderr
    assert (
        f"promised {env['AGENT_RELEASE_DIGEST']} (prompts)" in Path(env["AGENT_TERMINATION_LOG"]).read_text()
    )
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/readyz")


def test_a_release_without_the_profiles_prompt_ends_the_agent(start, env):
    process, _ = start(**env, SUPPORT_PROFILE="better")
    _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 2
    assert "expected the prompt prompts/better.md in the release" in stderr


def test_the_model_of_the_release_is_the_one_that_is_asked(start, env):
    process, _ = start(**env | {"SUPPORT_MODEL": ""})
    _, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 2
    assert "OPENAI_API_KEY must be set for the model openai:" in stderr
