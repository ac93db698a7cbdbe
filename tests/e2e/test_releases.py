"""Releases in ConfigMaps of the namespace: who approves reads their lines, and what a pod loads is what was promised."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from agentrollouts.release.artifact import Artifact, agent_version
from agentrollouts.release.configmap import configmap_name
from agentrollouts.release.source import read_source
from hack.demo import manifests
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import Space, poll
from tests.releases import directory

OLD, WRONG, NEW = "1.0.0", "1.1.0", "2.0.0"
OFFLINE = {"provider": "offline", "name": "offline", "snapshot": "2026-01-01"}
MOUNTED = "/etc/release"


def _release(space: Space, folder: Path, semver: str, rule: str) -> Artifact:
    """A release whose texts are in a ConfigMap."""
    source = directory(folder / semver, version=semver, model=OFFLINE)
    (source / "prompts" / "good.md").write_text(f"You are a support agent.\n{rule}\n")
    space.kubectl.run("create", "-f", "-", stdin=space.agentrollout("release", "configmap", str(source)))
    return read_source(source)


def _version(promised: Artifact, mounted: Artifact) -> dict[str, Any]:
    """The version of a release, in whose pods a release is mounted."""
    body = agent_version(promised)
    template = copy.deepcopy(manifests.version(OLD)["spec"]["template"])
    volume = {"name": "release", "configMap": {"name": configmap_name(mounted.name, mounted.digest)}}
    template["spec"].setdefault("volumes", []).append(volume)
    container = template["spec"]["containers"][0]
    container.setdefault("volumeMounts", []).append({"name": "release", "mountPath": MOUNTED})
    container["env"].append({"name": "AGENT_RELEASE_DIR", "value": MOUNTED})
    body["spec"] |= {"template": template, "replicas": 1}
    return body


def _loaded(space: Space, semver: str) -> str:
    found = (space.kubectl.get("agentversion", f"{manifests.AGENT}-{semver}") or {}).get("status") or {}
    return {each["type"]: each["status"] for each in found.get("conditions", ())}.get("Loaded", "")


def test_lines_are_shown_and_what_was_promised_is_what_runs(make_space: MakeSpace, tmp_path: Path) -> None:
    space = make_space("e2e-releases")
    old = _release(space, tmp_path, OLD, "Be brief.")
    wrong = _release(space, tmp_path, WRONG, "Be briefer.")
    new = _release(space, tmp_path, NEW, "Promise nothing.")
    quick = {"steps": [{"share": "50%", "soak": "1s"}]}
    analysis = {"mode": "threshold", "interval": "1s", "minimumSessions": 1}
    space.kubectl.apply(_version(old, old), manifests.rollout(OLD, strategy=quick, analysis=analysis))
    space.until("the first version serves", lambda s: (s.get("stable") or {}).get("version") == OLD)
    poll(lambda: _loaded(space, OLD), lambda said: said == "True", name="it says what it loaded", seconds=120)

    space.kubectl.apply(_version(wrong, old))
    space.change(version=WRONG)
    status = space.until("it was taken out", lambda s: s.get("rejected"), seconds=120)
    assert (status["rejected"]["version"], status["rejected"]["reason"]) == (WRONG, "DigestMismatch")
    assert old.digest in status["rejected"]["message"]

    space.users(rate=30)
    space.kubectl.apply(_version(new, new))
    space.change(version=NEW)
    space.until("the gate", lambda s: s.get("phase") == "AwaitingApproval", seconds=120)
    assert "-Be brief.\n+Promise nothing.\n" in space.gate(NEW)["spec"]["diff"]
    shown = space.agentrollout("get", manifests.AGENT, "-n", space.kubectl.namespace)
    assert "-Be brief." in shown
    assert "+Promise nothing." in shown
    assert not any(space.shares(WRONG)), "not one basis point"
