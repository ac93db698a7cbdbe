"""What people do to a rollout under way: change their mind, pause, resume, abort, retry, and set shares by hand."""

from __future__ import annotations

import copy
from typing import Any

from agent_load import counts, misanswered, routing_errors, started_after
from hack.demo import manifests
from tests.e2e.conftest import MakeSpace
from tests.e2e.moves import unexplained_moves
from tests.e2e.space import Space, poll

MINE = "4.0.0"
LONG = {"steps": [{"share": "30%", "soak": "10m"}]}


def _share(semver: str) -> Any:
    return lambda s: (s.get("candidate") or {}).get("version") == semver and s["candidate"]["share"] == 3_000


def test_people_change_their_minds(make_space: MakeSpace) -> None:
    space = make_space("e2e-steering")
    space.first(strategy=LONG)
    space.users(rate=20)
    space.propose("2.0.0")
    space.until("a share", _share("2.0.0"))
    space.met("2.0.0")

    space.propose("2.2.0")
    space.until("the other version's share", _share("2.2.0"))
    turn = next(i for i in space.history.intents if i.get("action") == "Start" and i["version"] == "2.2.0")
    assert turn["version"] == "2.2.0"
    assert space.status["history"][-1]["outcome"] == "Superseded"

    space.kubectl.annotate("rollout", manifests.AGENT, "agentrollouts.io/paused=true")
    space.until("the pause", lambda s: s.get("phase") == "Paused")
    space.kubectl.annotate("rollout", manifests.AGENT, "agentrollouts.io/paused-")
    space.until("it goes on", lambda s: s.get("phase") == "Progressing")
    space.request("abort", "1")
    space.until("the abort", lambda s: (s.get("rejected") or {}).get("reason") == "Aborted")
    space.request("retry", "1")
    again = space.until("the second try", _share("2.2.0"))
    assert again["candidate"]["attempt"] > 1
    space.met("2.2.0")
    space.change(version="1.0.0")
    space.until("the withdrawal", lambda s: s.get("phase") == "Healthy" and not s.get("candidate"))

    ledger = space.leave()
    superseded = next(
        change.at for change in space.history.changes
        if ("candidate", "2.0.0") in change.before and ("candidate", "2.0.0") not in change.after
    )  # fmt: skip
    assert not started_after(ledger, "2.0.0", superseded + 1)
    assert not routing_errors(ledger)
    assert not misanswered(ledger)
    assert not unexplained_moves(ledger, space.history.changes)
    # The control cohort is the old version's, and as large as the rules say: told apart in every answer.
    cohorts = {(version, cohort) for version, cohort, _ in counts(ledger)}
    assert {("1.0.0", "stable"), ("1.0.0", "control"), ("2.2.0", "candidate")} <= cohorts
    assert ("1.0.0", "candidate") not in cohorts
    space.counts_are_true(ledger)


def _my_own_deployment(space: Space) -> None:
    """A Deployment that the user owns, and a version that refers to it."""
    made = copy.deepcopy(manifests.version("2.0.0"))
    labels = {"app": "mine", "agentrollouts.io/agent": manifests.AGENT, "agentrollouts.io/version": MINE}
    template = made["spec"].pop("template")
    container = template["spec"]["containers"][0]
    container["env"] += [
        {"name": "AGENT_NAME", "value": manifests.AGENT},
        {"name": "AGENT_VERSION", "value": MINE},
    ]
    container["securityContext"]["readOnlyRootFilesystem"] = False
    made["metadata"]["name"] = f"{manifests.AGENT}-{MINE}"
    made["spec"] |= {"version": MINE, "deploymentRef": {"name": "mine"}}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "mine", "labels": labels},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": "mine"}},
            "template": {**template, "metadata": {"labels": labels}},
        },
    }  # fmt: skip
    space.kubectl.apply(deployment, made)
    space.kubectl.run("rollout", "status", "deployment/mine", "--timeout=90s", timeout=100)


def _by_hand(space: Space, **shares: int) -> None:
    rows = [{"version": version, "share": f"{share}%"} for version, share in shares.items()]
    space.kubectl.patch(
        "rollout", manifests.AGENT, {"spec": {"strategy": {"steps": None, "manual": {"shares": rows}}}}
    )


def test_shares_by_hand(make_space: MakeSpace) -> None:
    space = make_space("e2e-manual")
    space.first()
    space.kubectl.apply(manifests.version("2.0.0"), manifests.version("2.1.0"))
    _my_own_deployment(space)
    space.users(rate=20)
    _by_hand(space, **{"1.0.0": 60, "2.0.0": 20, MINE: 20, "2.1.0": 0})
    want = {"1.0.0": 6_000, "2.0.0": 2_000, MINE: 2_000}
    status = poll(
        lambda: space.status,
        lambda s: {r["version"]: r["share"] for r in s.get("shares", ()) if r["share"]} == want,
        name="three versions side by side", seconds=60,
    )  # fmt: skip
    assert {row["version"]: row["previousShare"] for row in status["shares"]}["1.0.0"] == 10_000
    space.met(MINE)
    space.met("2.0.0")
    ledger = space.leave()
    assert not routing_errors(ledger)
    assert not misanswered(ledger)
    assert not [row for row in ledger.rows() if row.routed_version == "2.1.0"], "0 % means no request at all"
