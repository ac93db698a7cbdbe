"""Wrong manifests: the API server's answer says what to write instead, or the status says what only the operator can know."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from hack.demo import manifests
from hack.demo.kubectl import Kubectl, KubectlError
from tests.e2e.conftest import MakeSpace
from tests.e2e.space import Space, poll

DIGEST = "sha256:" + "c" * 64


def _step(*shares: str) -> dict[str, Any]:
    return {"strategy": {"steps": [{"share": share} for share in shares]}}


# (kind, changes to a good spec, words of the refusal)
REFUSED: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("rollout", _step("30%", "10%"), "each step's share must be larger than the one before"),
    ("rollout", _step("100%"), "a step's share must be above 0% and below 100%"),
    ("rollout", {"strategy": {"manual": {"shares": [{"version": "1.0.0", "share": "60%"}]}}}, "must add up to 100%"),
    ("rollout", {"strategy": {"steps": [{"share": "5%"}], "selfTuning": {}}}, "at most one strategy"),
    ("rollout", {"strategy": {"selfTuning": {"floor": "50%", "start": "5%"}}}, "floor must be at most start"),
    ("rollout", {"strategy": {"selfTuning": {"promoteBelow": "50%"}}}, "promoteBelow must be at most rollbackAbove"),
    ("rollout", {"strategy": {"selfTuning": {"minimumSamples": 500}}}, "minimumSamples must be at most window"),
    ("rollout", {"assignment": {"header": "a", "cookie": "b"}}, "at most one of header and cookie"),
    ("rollout", {"analysis": {"interval": "0s"}}, "write at least 1s"),
    ("rollout", {"analysis": {"checks": [{"name": "two", "cost": {}, "latency": {}}]}}, "exactly one kind of check"),
    ("rollout", {"approval": {"quorum": 9}}, "less than or equal to 5"),
    ("rollout", {"agent": "other"}, "metadata.name"),
    ("rollout", {"strategi": {}}, "unknown field"),
    ("agentversion", {"version": "1.2"}, "spec.version"),
    ("agentversion", {"agent": "other"}, "metadata.name must be"),
    ("agentversion", {"template": None}, "exactly one of template"),
    ("agentversion", {"deploymentRef": {"name": "mine"}}, "exactly one of template"),
    ("agentversion", {"replicas": -1}, "replicas"),
)  # fmt: skip


def _bad(kind: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    made = manifests.rollout("1.0.0") if kind == "rollout" else manifests.version("1.0.0")
    return copy.deepcopy(made) | {"spec": {**made["spec"], **changes}}


@pytest.mark.parametrize(("kind", "changes", "words"), REFUSED, ids=[words for *_, words in REFUSED])
def test_the_api_server_refuses_it_and_says_why(
    system: Kubectl, kind: str, changes: Mapping[str, Any], words: str
) -> None:
    with pytest.raises(KubectlError) as refusal:
        system.run(
            "create",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
            stdin=json.dumps(_bad(kind, changes)),
        )
    assert words in str(refusal.value)


def _stalled(space: Space, reason: str, *words: str, seconds: float = 60) -> None:
    def condition() -> dict[str, Any]:
        rows = space.status.get("conditions", ())
        return next((row for row in rows if row["type"] == "Stalled"), {})

    found = poll(
        condition,
        lambda row: row.get("status") == "True" and row.get("reason") == reason,
        name=f"Stalled by {reason}",
        seconds=seconds,
    )
    assert all(word in found["message"] for word in words), found["message"]


def _remade(space: Space) -> None:
    """The stable version is deleted and made again with another content."""
    other = copy.deepcopy(manifests.version("1.0.0"))
    other["spec"]["release"]["prompts"]["digest"] = DIGEST
    space.kubectl.run("delete", "agentversion", "support-1.0.0")
    space.kubectl.apply(other)


def test_what_only_the_operator_knows_stalls_one_rollout_and_no_other(make_space: MakeSpace) -> None:
    broken, other = make_space("e2e-broken"), make_space("e2e-undisturbed")
    broken.kubectl.apply(
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": manifests.AGENT},
            # Headless: an address would give every pod here a SUPPORT_PORT, which the sample agent takes for its own.
            "spec": {"clusterIP": "None", "ports": [{"port": 80}], "selector": {"app": "somebody-else"}},
        }
    )  # fmt: skip
    other.first()
    other.users(rate=20)
    other.propose("2.0.0")
    broken.kubectl.apply(manifests.version("1.0.0"), manifests.rollout("1.0.0"))
    _stalled(broken, "ServiceTaken", "kubectl delete service support")
    broken.kubectl.run("delete", "service", manifests.AGENT)
    # No watch tells of a Service that isn't ours, so the operator tries the name again by itself.
    broken.until("the first version serves", lambda s: s.get("phase") == "Healthy", seconds=60)

    broken.change(version="7.7.7")
    _stalled(broken, "VersionNotFound", "7.7.7", "known versions: 1.0.0")
    broken.change(version="1.0.0")
    _remade(broken)
    _stalled(broken, "DigestConflict", "Give the new content a new version")

    other.until("the other rollout's gate", lambda s: s.get("phase") == "AwaitingApproval", seconds=120)
    other.approve("2.0.0")
    other.until("its promotion", lambda s: s["stable"]["version"] == "2.0.0", seconds=30)
    _never_ready(other)
    ledger = other.leave()
    assert not [row for row in ledger.rows() if row.error]
    assert not [row for row in ledger.rows() if row.version == "3.0.0"]


def _never_ready(space: Space) -> None:
    """A candidate that doesn't become ready in time is taken out, and no request ever met it."""
    made = copy.deepcopy(manifests.version("2.2.0"))
    made["metadata"]["name"] = "support-3.0.0"
    made["spec"]["version"] = "3.0.0"
    made["spec"]["template"]["spec"]["containers"][0]["env"].append(
        {"name": "SUPPORT_CRASH", "value": "never-ready"}
    )
    space.kubectl.apply(made)
    space.change(version="3.0.0", rollback={"readyDeadline": "12s"})
    status = space.until(
        "the rollback", lambda s: (s.get("rejected") or {}).get("version") == "3.0.0", seconds=60
    )
    assert status["rejected"]["reason"] == "NeverReady"
    assert not any(space.shares("3.0.0"))
