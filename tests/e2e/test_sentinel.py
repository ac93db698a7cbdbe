"""A provider that answers otherwise behind a name that stayed the same: nobody deployed anything, and somebody is told."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.demo import install, manifests
from hack.demo.forwarding import forwarded
from hack.demo.kubectl import Kubectl
from tests.e2e.conftest import MakeSpace, program
from tests.e2e.space import Space, poll
from tests.e2e.volumes import volume

GOLDEN = Path(__file__).resolve().parents[2] / "agents" / "support" / "evals" / "golden.yaml"
FIRST, SERVICE = "1.0.0", "support-1-0-0"
PROVIDER = "provider"
WATCH = "agent-rollouts-sentinel-support"
LOOKS = 4
"""The first one tells most; chance may ask for another."""


@pytest.fixture(scope="module")
def space(make_space: MakeSpace) -> Iterator[Space]:
    """An agent whose answers are made elsewhere, and the sentinel of the chart, in one namespace."""
    space = make_space("e2e-sentinel")
    with volume(space.kubectl, WATCH):
        yield space


def _provider(name: str, profile: str) -> dict[str, Any]:
    """A pod that answers for others."""
    pod = copy.deepcopy(manifests.version(FIRST)["spec"]["template"])
    container = pod["spec"]["containers"][0]
    container["env"] = [
        {"name": "SUPPORT_PROFILE", "value": profile},
        {"name": "AGENT_STATE_DIR", "value": ""},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"model": name}},
        "spec": pod["spec"],
    }


def _named(model: str) -> dict[str, Any]:
    """The provider's name, behind which one of the pods answers."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": PROVIDER},
        "spec": {"selector": {"model": model}, "ports": [{"port": 80, "targetPort": "http"}]},
    }


def _serve_its_answers(space: Space) -> None:
    space.kubectl.apply(_provider("before", "good"), _provider("after", "silently-worse"), _named("before"))
    space.kubectl.run(
        "wait", "pod/before", "pod/after", "--for=condition=Ready", "--timeout=120s", timeout=130
    )
    version = copy.deepcopy(manifests.version(FIRST, replicas=1))
    env = version["spec"]["template"]["spec"]["containers"][0]["env"]
    env.append({"name": "SUPPORT_COLLEAGUE_URL", "value": f"http://{PROVIDER}"})
    space.kubectl.apply(version, manifests.rollout(FIRST))
    space.until("it serves", lambda s: (s.get("stable") or {}).get("version") == FIRST)


def _baseline(space: Space, folder: Path) -> Path:
    """What the version came to when it was accepted, as a user records it."""
    made = folder / "baseline.json"
    with forwarded(space.kubectl, SERVICE, 80) as url:
        words = ["eval", "run", str(GOLDEN), "--target", f"{url}/v1/tasks", "--answer", "label"]
        words += ["--repeat", "20", "--agent", manifests.AGENT, "--version", FIRST, "-o", str(made)]
        space.agentrollout(*words)
    return made


def _install_its_sentinel(space: Space, baseline: Path) -> None:
    probes = [f"--from-file=probes.yaml={GOLDEN}", f"--from-file=baseline.json={baseline}"]
    space.kubectl.run("create", "configmap", "support-probes", *probes)
    one = {
        "name": "support", "schedule": "0 0 1 1 *", "target": f"http://{SERVICE}/v1/tasks", "answer": "label",
        "configMap": "support-probes",
    }  # fmt: skip
    rendered = install.run(
        program("helm"), space.kubectl.kubeconfig,
        "template", install.RELEASE, f"charts/{install.RELEASE}", "-n", space.kubectl.namespace,
        "--set-json", f"sentinels={json.dumps([one])}",
        "--show-only", "templates/sentinel/cronjobs.yaml", "--show-only", "templates/sentinel/rbac.yaml",
    )  # fmt: skip
    space.kubectl.run("apply", "-f", "-", stdin=rendered)


def _look(kubectl: Kubectl, number: int) -> bool:
    """One look; whether nothing was found."""
    name = f"look-{number}"
    kubectl.run("create", "job", name, f"--from=cronjob/{WATCH}")

    def ended() -> dict[str, str]:
        found = (kubectl.get("job", name) or {}).get("status", {}).get("conditions", ())
        return {each["type"]: each["status"] for each in found}

    seen = poll(ended, lambda s: bool({"Complete", "Failed"} & set(s)), name=name, seconds=180)
    return "Complete" in seen


def _told(kubectl: Kubectl) -> list[dict[str, Any]]:
    return [event for event in kubectl.list("events") if event["reason"] == "ModelDrifted"]


def test_a_pinned_model_that_changes_is_told_of_and_moves_nothing(space: Space, tmp_path: Path) -> None:
    _serve_its_answers(space)
    _install_its_sentinel(space, _baseline(space, tmp_path))
    assert _look(space.kubectl, 1), space.kubectl.run("logs", "job/look-1")
    assert not _told(space.kubectl)
    before = space.kubectl.get("agentroute", manifests.AGENT)
    assert before is not None

    space.kubectl.apply(_named("after"))
    found = next((number for number in range(2, 2 + LOOKS) if not _look(space.kubectl, number)), None)
    assert found is not None, "no look found it"
    log = space.kubectl.run("logs", f"job/look-{found}")
    assert "the model drifted though nothing was deployed" in log
    (event,) = _told(space.kubectl)
    about = event["involvedObject"]
    assert (event["type"], about["kind"], about["name"]) == ("Warning", "AgentVersion", f"support-{FIRST}")
    assert f"look {found}" in event["message"]
    after = space.kubectl.get("agentroute", manifests.AGENT)
    assert after is not None
    assert after["spec"] == before["spec"], "it deploys nothing, and it holds nothing"
