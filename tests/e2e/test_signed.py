"""Signed before any pod starts: by hand, and by the Job that proved a version somewhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentrollouts.release.artifact import agent_version
from agentrollouts.release.source import read_source
from hack.demo import manifests
from tests import keys
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import Space, poll
from tests.e2e.test_before_traffic import ENTRY, GOLDEN
from tests.releases import directory

SEMVER, DEPLOYMENT = "2.0.0", "support-2-0-0"
OURS, THEIRS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC = keys.public(OURS).decode()
SIGNED: dict[str, Any] = {
    **ENTRY,
    "signing": {"secret": "support-signing"},
    "eval": {name: value for name, value in ENTRY["eval"].items() if name not in ("repeat", "baseline")},
}


def _demand(**claims: str) -> dict[str, Any]:
    """Each claim of the key of that name."""
    listed = [{"name": name, "publicKey": PUBLIC, "claims": [claim]} for claim, name in claims.items()]
    return {"verify": {"keys": listed, "require": list(claims)}}


def _released(folder: Path) -> tuple[str, dict[str, Any]]:
    """A release directory, and its version with the sample agent's pods."""
    source = directory(folder, version=SEMVER)
    body = agent_version(read_source(source))
    body["spec"] |= {"template": manifests.version(SEMVER)["spec"]["template"], "replicas": 1}
    return str(source), body


def _holds_for(space: Space, lacking: str) -> None:
    """It waits for exactly these signatures, without a pod."""
    words = f"{SEMVER} isn't started: expected a signed statement for {lacking}"
    space.until(
        f"it lacks {lacking}",
        lambda s: (
            (s.get("decision") or {}).get("reason") == "Unverified" and s["decision"]["message"] == words
        ),
        seconds=60,
    )
    assert space.kubectl.get("deployment", DEPLOYMENT) is None


def test_a_version_starts_by_itself_once_those_have_signed_whose_word_counts(
    make_space: MakeSpace, tmp_path: Path
) -> None:
    for name, key in (("ours", OURS), ("theirs", THEIRS)):
        (tmp_path / f"{name}.pem").write_bytes(keys.private(key))
    source, body = _released(tmp_path / "release")
    space = make_space("e2e-signed")

    def vouch(claim: str, key: str) -> None:
        words = ("sign", source, "--key", str(tmp_path / f"{key}.pem"), "--claim", claim, "--configmap")
        space.kubectl.run("create", "-f", "-", stdin=space.agentrollout("release", *words))

    space.first()
    space.kubectl.apply(body)
    space.change(version=SEMVER, release=_demand(build="ci", eval="evals"))
    _holds_for(space, "build by ci; eval by evals")
    poll(
        lambda: [e["message"] for e in space.kubectl.list("events") if e["reason"] == "Unverified"],
        lambda said: any(each.endswith("build by ci; eval by evals") for each in said),
        name="an event says whose signature is missing",
        seconds=30,
    )
    vouch("build", "theirs")
    vouch("eval", "ours")
    # NB: one watch tells of both statements in their order, so whoever knows the second has seen the first.
    _holds_for(space, "build by ci")
    vouch("build", "ours")
    space.until("a share", lambda s: (s.get("candidate") or {}).get("share"), seconds=120)
    assert space.kubectl.get("deployment", DEPLOYMENT) is not None


def test_what_a_job_signed_opens_another_namespace(make_space: MakeSpace, tmp_path: Path) -> None:
    staging, production = make_space("e2e-signed-staging"), make_space("e2e-signed-production")
    production.kubectl.apply(
        manifests.version(SEMVER), manifests.rollout(SEMVER, release=_demand(eval="staging"))
    )
    staging.kubectl.run("create", "configmap", "support-evals", f"--from-file={GOLDEN}")
    staging.first(beforeTraffic=[SIGNED])
    staging.propose(SEMVER)
    status = staging.until(
        "no verdict without the key",
        lambda s: (s.get("decision") or {}).get("reason") == "EvalInvalid",
        seconds=180,
    )
    assert "can't read the signing key /etc/agent-rollouts/signing/release.pem" in status["message"]

    key = tmp_path / "release.pem"
    key.write_bytes(keys.private(OURS))
    staging.kubectl.run("create", "secret", "generic", "support-signing", f"--from-file={key}")
    staging.request("retry", "1")
    status = staging.until(
        "a PASS",
        lambda s: [p["verdict"] for p in (s.get("candidate") or {}).get("proofs", ())] == ["PASS"],
        seconds=240,
    )
    _holds_for(production, "eval by staging")

    words = ("attestation", manifests.AGENT, SIGNED["name"], "-n", staging.kubectl.namespace)
    envelope = json.loads(staging.agentrollout(*words))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    production.kubectl.run("create", "-f", "-", stdin=staging.agentrollout(*words, "--configmap"))
    status = production.until("it serves", lambda s: s.get("stable"), seconds=120)
    assert status["stable"]["version"] == SEMVER
