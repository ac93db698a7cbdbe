"""Signatures before any pod starts: the whole operator, real keys, and ConfigMaps as `release sign --configmap` prints them."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentrollouts.release import attestation
from agentrollouts.release.attestation import Named, sign, statement
from agentrollouts.release.errors import ReleaseError
from agentrollouts.release.statement_map import statement_map
from agentrollouts.runtime import statements
from tests.fakes.stage import Stage, agent_version, rollout
from tests.keys import private, public
from tests.unit.runtime.test_story import SUCCESS_ONLY, installed

OURS, THEIRS = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()


def policy(*require: str) -> dict[str, Any]:
    keys = [{"name": "ci", "publicKey": public(OURS).decode()}]
    return {"release": {"verify": {"keys": keys, "require": list(require) or ["build"]}}}


def about(stage: Stage, version: str = "2.0.0") -> Named:
    status = stage.cluster.get("AgentVersion", f"support-{version}")["status"]
    return Named(f"support-{version}", status["artifactDigest"])


def configmap(
    what: Named, claim: str = "build", key: Ed25519PrivateKey = OURS, *, namespace: str = "shop"
) -> dict[str, Any]:
    body = statement_map("support", what, claim, sign(statement(what, claim, {}), private(key)))
    body["metadata"]["namespace"] = namespace
    return body


async def refused(*require: str) -> Stage:
    stage = await installed()
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", analysis=SUCCESS_ONLY, **policy(*require)))
    await stage.go(3)
    assert_refused(stage)
    return stage


def assert_refused(stage: Stage) -> None:
    assert ("Deployment", "shop", "support-2-0-0") not in stage.cluster.objects
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.status().get("candidate") is None
    assert stage.status()["decision"]["reason"] == "Unverified"


def ready_condition(stage: Stage) -> tuple[str, str]:
    conditions = stage.cluster.get("AgentVersion", "support-2.0.0")["status"]["conditions"]
    found = next(item for item in conditions if item["type"] == "Ready")
    return found["status"], found["reason"]


@pytest.mark.asyncio
async def test_an_unsigned_version_never_gets_a_deployment() -> None:
    stage = await refused()
    await stage.go(30)
    assert_refused(stage)
    assert "apply Deployment support-2-0-0" not in stage.cluster.writes
    assert stage.replicas("1.0.0") == 2
    assert ready_condition(stage) == ("False", "Unverified")
    assert dict(stage.cluster.events)["Unverified"].endswith("expected a signed statement for build by ci")
    assert [reason for reason, _ in stage.cluster.events].count("Unverified") == 1
    assert "HoldUnverified" in dict(stage.cluster.events)


@pytest.mark.asyncio
async def test_a_statement_that_holds_lets_it_start() -> None:
    stage = await refused()
    stage.cluster.put(configmap(about(stage)))
    await stage.go(4)
    assert stage.shares() == {"2.0.0": 500, "1.0.0": 9500}
    assert ready_condition(stage)[0] == "True"
    assert stage.cluster.get("Deployment", "support-2-0-0")["spec"]["replicas"] == 2


def forged(what: Named) -> dict[str, Any]:
    """Their statement with our signature of another one."""
    body, ours = configmap(what, key=THEIRS), configmap(Named("support-1.9.0", what.digest))
    theirs, good = (json.loads(each["data"]["build.json"]) for each in (body, ours))
    body["data"]["build.json"] = json.dumps({**theirs, "signatures": good["signatures"]})
    return body


def altered(what: Named) -> dict[str, Any]:
    """Our signature, and a payload that was changed afterwards."""
    body = configmap(Named("support-1.9.0", what.digest))
    envelope = json.loads(body["data"]["build.json"])
    payload = base64.b64decode(envelope["payload"]).replace(b"support-1.9.0", what.name.encode())
    body["data"]["build.json"] = json.dumps({**envelope, "payload": base64.b64encode(payload).decode()})
    return body


def unlike(change: Callable[[Named], dict[str, Any]]) -> Callable[[Named], dict[str, Any]]:
    """Labelled as if it were about the version."""

    def labelled(what: Named) -> dict[str, Any]:
        body = change(what)
        body["metadata"]["labels"] = configmap(what)["metadata"]["labels"]
        return body

    return labelled


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "wrong",
    [
        lambda what: configmap(what, key=THEIRS),
        lambda what: configmap(what, "eval"),
        unlike(lambda what: configmap(Named("support-2.0.1", what.digest))),
        unlike(lambda what: configmap(Named(what.name, f"sha256:{'9' * 64}"))),
        lambda what: configmap(what, namespace="elsewhere"),
        unlike(lambda what: {**configmap(what), "data": {"build.json": "no envelope"}}),
        unlike(lambda what: {**configmap(what), "data": {"build.json": "x" * 100_000}}),
        unlike(lambda what: {**configmap(what), "data": None}),
        forged,
        unlike(altered),
    ],
    ids=[
        "another key",
        "another claim",
        "another version",
        "another artifact",
        "another namespace",
        "no envelope",
        "too large",
        "nothing in it",
        "forged",
        "altered",
    ],
)
async def test_a_statement_that_does_not_hold_is_none(wrong: Callable[[Named], dict[str, Any]]) -> None:
    stage = await refused()
    stage.cluster.put(wrong(about(stage)))
    await stage.go(5)
    assert_refused(stage)
    await stage.restart()  # which looks at everything anew
    await stage.go(5)
    assert_refused(stage)


@pytest.mark.asyncio
async def test_a_candidate_that_loses_its_statement_keeps_its_share_and_does_not_grow() -> None:
    stage = await refused()
    body = configmap(about(stage))
    stage.cluster.put(body)
    await stage.go(4)
    stage.cluster.remove("ConfigMap", body["metadata"]["name"])
    for _ in range(14):
        stage.work()
        await stage.go(1)
    assert stage.shares() == {"2.0.0": 500, "1.0.0": 9500}
    assert (stage.status()["decision"]["reason"], stage.replicas("2.0.0")) == ("Unverified", 2)


def test_what_is_too_large_or_too_much_is_left_out() -> None:
    data = {
        f"{number:03}": "x" * (statements.LARGEST + (number == 1)) for number in range(statements.MOST + 3)
    }
    found = statements.statement({"metadata": {"name": "many", "namespace": "shop"}, "data": data})
    assert len(found.envelopes) == statements.MOST
    assert max(map(len, found.envelopes)) == statements.LARGEST


@pytest.mark.asyncio
async def test_every_claim_is_needed_and_what_is_missing_is_named() -> None:
    stage = await refused("build", "eval")
    stage.cluster.put(configmap(about(stage)))
    await stage.go(3)
    assert_refused(stage)
    assert stage.status()["message"].endswith("expected a signed statement for eval by ci")
    stage.cluster.put(configmap(about(stage), "eval"))
    await stage.go(4)
    assert stage.shares()["2.0.0"] == 500


@pytest.mark.asyncio
async def test_a_first_version_starts_only_once_it_is_signed() -> None:
    stage = Stage()
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", analysis=SUCCESS_ONLY, **policy()))
    await stage.restart()
    await stage.go(3)
    assert stage.cluster.of("Deployment") == []
    stage.cluster.put(configmap(about(stage, "1.0.0")))
    await stage.go(2)
    assert stage.shares() == {"1.0.0": 10_000}


@pytest.mark.asyncio
async def test_a_new_demand_stops_nothing_that_serves() -> None:
    stage = await installed()
    stage.cluster.put(rollout("1.0.0", analysis=SUCCESS_ONLY, **policy()))
    stage.cluster.remove("Deployment", "support-1-0-0")
    await stage.go(3)
    assert (stage.shares(), stage.replicas("1.0.0")) == ({"1.0.0": 10_000}, 2)
    assert stage.status()["phase"] == "Healthy"


@pytest.mark.asyncio
async def test_a_stable_version_made_again_with_another_content_gets_no_pods() -> None:
    stage = await installed()
    stage.cluster.put(rollout("1.0.0", analysis=SUCCESS_ONLY, **policy()))
    await stage.go(1)
    stage.cluster.remove("AgentVersion", "support-1.0.0")
    await stage.go(1)
    stage.cluster.put(agent_version("1.0.0", "c"))
    await stage.go(3)
    assert ("Deployment", "shop", "support-1-0-0") not in stage.cluster.objects


@pytest.mark.asyncio
async def test_an_operator_that_can_not_check_signatures_starts_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise ReleaseError("signing needs the extra `signing`")

    statements._claim.cache_clear()
    monkeypatch.setattr(attestation, "_require_extra", fail)
    stage = await refused()
    stage.cluster.put(configmap_without_check(about(stage), monkeypatch, fail))
    await stage.go(3)
    assert_refused(stage)
    assert "can't be checked: signing needs the extra" in stage.status()["message"]


def configmap_without_check(
    what: Named, monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None]
) -> dict[str, Any]:
    """Signed elsewhere."""
    monkeypatch.setattr(attestation, "_require_extra", lambda: None)
    body = configmap(what)
    monkeypatch.setattr(attestation, "_require_extra", fail)
    return body
