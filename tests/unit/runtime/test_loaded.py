"""What pods loaded, from their statuses and from one query, to what the operator does about it."""

from __future__ import annotations

from typing import Any

import pytest

from agentrollouts.core.asked import Row
from agentrollouts.runtime.loading import QUERY, reports
from agentrollouts.runtime.views import Place
from tests.fakes.stage import Stage, agent_version, rollout
from tests.unit.runtime.test_story import SUCCESS_ONLY, climbing, installed

ELSE = f"sha256:{'e' * 64}"
TOLD = {"notify": [{"name": "oncall", "on": ["RolledBack"], "webhook": {"ref": "pager"}}]}


def pod(stage: Stage, version: str, name: str, status: dict[str, Any]) -> None:
    template = stage.cluster.get("Deployment", f"support-{version.replace('.', '-')}")["spec"]["template"]
    meta = {"name": name, "namespace": "shop", **template["metadata"]}
    stage.cluster.put({"kind": "Pod", "metadata": meta, "status": status})


def refusing(
    stage: Stage, version: str, name: str = "p", *, ready: bool = False, ends: str = "state"
) -> None:
    """A pod whose agent ended because it had loaded something else than promised."""
    promised = stage.cluster.get("AgentVersion", f"support-{version}")["status"]["artifactDigest"]
    said = f"DigestMismatch: loaded {ELSE}, promised {promised} (prompts)"
    ended = {ends: {"terminated": {"exitCode": 2, "reason": "Error", "message": said}}}
    pod(stage, version, name, {"containerStatuses": [{"name": "agent", "ready": ready, **ended}]})


def loaded(stage: Stage, version: str) -> tuple[str, str]:
    conditions = stage.cluster.get("AgentVersion", f"support-{version}")["status"]["conditions"]
    found = next(item for item in conditions if item["type"] == "Loaded")
    return found["status"], found["reason"]


def health(stage: Stage, version: str) -> str:
    return str(stage.cluster.get("AgentVersion", f"support-{version}")["status"]["health"])


async def say(stage: Stage, **digests: str) -> None:
    """The pods are scraped, and the operator asks."""
    rows = [
        Row({"namespace": "shop", "pod": name, "loaded": digest}, 1.0) for name, digest in digests.items()
    ]
    stage.source.tell(QUERY, *rows)
    await stage.operator.loading.read()
    await stage.settle()


@pytest.mark.asyncio
@pytest.mark.parametrize("ends", ["state", "lastState"])
async def test_a_candidate_that_loaded_something_else_is_taken_out_at_once(ends: str) -> None:
    stage = await climbing(**TOLD)
    stage.source.mode = "down"
    refusing(stage, "2.0.0", ends=ends)
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}
    rejected = stage.status()["rejected"]
    assert rejected["reason"] == "DigestMismatch"
    assert rejected["message"].endswith(f"; pod p loaded {ELSE}")
    assert loaded(stage, "2.0.0") == ("False", "DigestMismatch")
    assert health(stage, "2.0.0") == "Unhealthy"
    events = dict(stage.cluster.events)
    assert f"pod p loaded {ELSE}" in events["DigestMismatch"]
    assert "RollbackDigestMismatch" in events
    (sent,) = [notice.facts for _, notice in stage.notifier.got]
    assert (sent.reason, sent.message) == ("DigestMismatch", rejected["message"])


@pytest.mark.asyncio
async def test_why_it_was_taken_out_stays_when_its_pods_are_gone() -> None:
    stage = await climbing()
    stage.cluster.run_pods(broken=["support-2-0-0"])
    refusing(stage, "2.0.0")
    await stage.settle(pods=False)
    stage.cluster.remove("Pod", "p")
    for _ in range(30):
        stage.cluster.run_pods(broken=["support-2-0-0"])
        await stage.go(2, pods=False)
    assert stage.replicas("2.0.0") == 0
    assert loaded(stage, "2.0.0") == ("False", "DigestMismatch")
    assert [reason for reason, _ in stage.cluster.events].count("DigestMismatch") == 1


@pytest.mark.asyncio
async def test_a_stable_version_raises_the_alarm_and_goes_on_serving() -> None:
    stage = await installed()
    refusing(stage, "1.0.0")
    await stage.settle()
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.replicas("1.0.0") == 2
    assert (health(stage, "1.0.0"), loaded(stage, "1.0.0")) == ("Unhealthy", ("False", "DigestMismatch"))
    assert "DigestMismatch" in dict(stage.cluster.events)
    refusing(stage, "1.0.0", ready=True, ends="lastState")
    await stage.settle()
    assert (health(stage, "1.0.0"), loaded(stage, "1.0.0")) == ("Healthy", ("Unknown", "NotReported"))


@pytest.mark.asyncio
async def test_the_first_version_does_not_serve_what_nobody_promised() -> None:
    stage = Stage()
    stage.cluster.put(rollout("1.0.0", analysis=SUCCESS_ONLY))
    stage.cluster.put(agent_version("1.0.0", "a"))
    await stage.restart()
    await stage.go(0.5, pods=False)
    refusing(stage, "1.0.0")
    await stage.settle(pods=False)
    assert stage.status()["decision"]["reason"] == "DigestMismatch"
    assert stage.status()["phase"] == "Degraded"
    assert ("AgentRoute", "shop", "support") not in stage.cluster.objects


@pytest.mark.asyncio
async def test_pods_that_report_make_the_condition_true_with_one_query_for_all() -> None:
    stage = await climbing()
    digests = {}
    for version in ("1.0.0", "2.0.0"):
        digests[version] = stage.cluster.get("AgentVersion", f"support-{version}")["status"]["artifactDigest"]
        pod(stage, version, f"pod-{version}", {})
    assert loaded(stage, "2.0.0") == ("Unknown", "NotReported")
    await say(stage, **{f"pod-{version}": digest for version, digest in digests.items()})
    assert loaded(stage, "1.0.0") == loaded(stage, "2.0.0") == ("True", "AsPromised")
    assert stage.source.asked.count(QUERY) == 1
    assert stage.shares()["2.0.0"] == 500


@pytest.mark.asyncio
async def test_a_scraped_mismatch_counts_like_a_refusal() -> None:
    stage = await climbing()
    pod(stage, "2.0.0", "p", {})
    await say(stage, p=ELSE)
    assert stage.status()["rejected"]["reason"] == "DigestMismatch"


@pytest.mark.asyncio
async def test_silence_and_strangers_are_no_mismatch() -> None:
    stage = await climbing()
    pod(stage, "2.0.0", "p", {"containerStatuses": [{"name": "agent", "ready": True}]})
    await say(stage, q=ELSE)
    stage.source.mode = "down"
    await stage.operator.loading.read()
    await stage.go(2)
    assert loaded(stage, "2.0.0") == ("Unknown", "NotReported")
    assert stage.shares()["2.0.0"] == 500


@pytest.mark.asyncio
async def test_a_pod_of_another_template_says_nothing_about_this_one() -> None:
    stage = await climbing()
    refusing(stage, "2.0.0")
    body = stage.cluster.get("Pod", "p")
    stage.cluster.remove("Pod", "p")
    stage = await climbing()
    body["metadata"]["annotations"]["agentrollouts.io/template"] = "older"
    stage.cluster.put(body)
    await stage.settle()
    assert stage.status()["candidate"]["version"] == "2.0.0"


def test_what_is_no_digest_or_not_one_is_no_report() -> None:
    def row(pod: str, digest: str) -> Row:
        return Row({"namespace": "shop", "pod": pod, "loaded": digest}, 1.0)

    rows = [
        row("a", ELSE),
        row("b", "latest"),
        row("c", ELSE),
        row("c", ELSE.replace("e", "d")),
        row("", ELSE),
    ]
    assert reports(rows) == {Place("shop", "a"): ELSE}
