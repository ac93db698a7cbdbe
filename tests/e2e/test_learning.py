"""An agent that writes its own next version: what a good prompt has to go through, and where two bad ones end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from agent_load import Ledger, routing_errors
from agentrollouts.ledger.holdout import held_out
from agents.author.scripts import GAMING, GOOD, SCRIPTS, WORSE
from hack.demo import install
from hack.demo.kubectl import Kubectl, KubectlError
from hack.demo.manifests import AGENT, APPROVER
from hack.learn import improver, manifests
from hack.learn.facts import failed
from hack.learn.ledger import Reader, forwarded, seen_and_held_out, token
from hack.learn.story import ACCOUNT
from tests.e2e.conftest import MakeSpace, program
from tests.e2e.space import ANALYSIS, QUICK, Space, poll

Open = Callable[[str], Space]
WRONG = 60
"""Wrong answers before anybody learns from them: twice what the improver needs, and a fifth of them is held out."""


@pytest.fixture(scope="module")
def opened(make_space: MakeSpace, system: Kubectl) -> Iterator[Open]:
    """Namespaces in which the weak version serves users, with ledger, improver, trial and author; none of it afterwards."""
    console, helm = Console(file=sys.stderr), program("helm")

    def open_(name: str) -> Space:
        space = make_space(name)
        install.chart(console, system, helm, values=manifests.chart_values(name, GOOD))
        tokens = {role: token(system, role) for role in ("agent", "reader")}
        space.kubectl.apply(*manifests.surroundings(name, **tokens))
        rollout = manifests.rollout(manifests.FIRST, strategy=QUICK, analysis=ANALYSIS)
        space.kubectl.apply(manifests.version(manifests.FIRST, manifests.WEAK), rollout)
        space.until("the weak version serves", lambda s: s.get("stable"), seconds=120)
        space.users("--about", "status,refund", rate=30)
        for each in (manifests.AUTHOR, manifests.TRIAL):
            space.kubectl.run(
                "wait", f"deployment/{each}", "--for=condition=Available", "--timeout=120s", timeout=130
            )
        proxy = f"/api/v1/namespaces/{name}/pods/users:8080/proxy"
        poll(
            lambda: json.loads(space.kubectl.raw(f"{proxy}/summary"))["live"]["wrong"],
            lambda wrong: wrong >= WRONG,
            name="wrong answers",
            seconds=90,
        )
        return space

    try:
        yield open_
    finally:
        install.chart(console, system, helm)


def _improve(system: Kubectl, space: Space, author: str) -> dict[str, Any]:
    name = improver.cronjob(system, space.kubectl.namespace, AGENT)
    return improver.run(system, name, author.replace("author", "improve"), author)


def _versions(space: Space) -> list[str]:
    return sorted(each["spec"]["version"] for each in space.kubectl.list("agentversions"))


def _refused_and_deployed_all_the_same(system: Kubectl, space: Space, author: str, semver: str) -> None:
    said = _improve(system, space, author)
    assert (said["action"], said["reason"]) == ("refused", "NoProposal"), said
    assert "tasks that passed" in said["message"]
    assert _versions(space) == [manifests.FIRST], "nothing came of a prompt that its own trial refused"
    space.kubectl.apply(
        manifests.version(semver, SCRIPTS[author].revised_system_prompt, parent=manifests.FIRST)
    )
    space.change(version=semver)


def _nobody_met_it(space: Space, semver: str) -> None:
    ledger = space.leave()
    assert not routing_errors(ledger)
    assert not any(space.shares(semver)), "not one basis point"
    assert not [row for row in ledger.rows() if semver in (row.version, row.routed_version)]
    assert space.status["stable"]["version"] == manifests.FIRST


def test_a_good_prompt_is_proposed_proven_approved_and_serves(opened: Open, system: Kubectl) -> None:
    space = opened("e2e-learning-good")
    said = _improve(system, space, GOOD)
    assert (said["action"], said["reason"], said["version"]) == ("proposed", "Started", manifests.PROPOSED), (
        said
    )
    _nothing_held_out_was_seen(system, space)

    status = space.until("a share", lambda s: (s.get("candidate") or {}).get("share"), seconds=300)
    proofs = status["candidate"]["proofs"]
    assert [(each["name"], each["verdict"]) for each in proofs] == [("golden", "PASS"), ("replayed", "PASS")]
    assert all(each["finishedAt"] <= status["candidate"]["firstShareAt"] for each in proofs)

    space.until("the gate", lambda s: s.get("phase") == "AwaitingApproval", seconds=180)
    gate = space.gate(manifests.PROPOSED)["spec"]
    assert ACCOUNT in gate["requestedBy"].splitlines()
    assert SCRIPTS[GOOD].rationale in gate["rationale"]
    assert {line.partition(":")[0] for line in gate["changes"]} == {"prompts"}
    assert [each["name"] for each in gate["proofs"]] == ["golden", "replayed"]
    with pytest.raises(KubectlError, match="forbidden"):
        space.approve(manifests.PROPOSED, user=ACCOUNT)
    space.approve(manifests.PROPOSED)
    status = space.until("the promotion", lambda s: s["stable"]["version"] == manifests.PROPOSED, seconds=60)
    assert [each["approver"] for each in status["history"][-1]["approvals"]] == [APPROVER]

    space.met(manifests.PROPOSED, requests=300)
    _users_are_better_off(space.leave())


def _users_are_better_off(ledger: Ledger) -> None:
    assert not routing_errors(ledger)
    assert 0.25 <= failed(ledger, manifests.FIRST) <= 0.35
    assert 0 <= failed(ledger, manifests.PROPOSED) <= 0.05


def _nothing_held_out_was_seen(system: Kubectl, space: Space) -> None:
    namespace = space.kubectl.namespace
    service = f"/api/v1/namespaces/{namespace}/services/http:{manifests.AUTHOR}:8080/proxy"
    shown = json.loads(space.kubectl.raw(f"{service}/v1/asked"))["inputs"]
    with forwarded(system) as url:
        tasks = Reader(url, token(system, "reader")).tasks(namespace=namespace, agent=AGENT)
        mine = Reader(url, token(system, "improver")).tasks(namespace=namespace, agent=AGENT)
    held = [held_out(task["id"], manifests.HOLDOUT) for task in tasks]
    overlap, unknown, hidden = seen_and_held_out(shown, tasks, held)
    assert (overlap, unknown) == (0, 0)
    assert hidden > 0
    assert shown
    assert not any(held_out(task["id"], manifests.HOLDOUT) for task in mine)


def test_a_worse_prompt_is_stopped_by_known_questions(opened: Open, system: Kubectl) -> None:
    space = opened("e2e-learning-worse")
    _refused_and_deployed_all_the_same(system, space, WORSE, manifests.WORSE)
    status = space.until(
        "the evaluation failed",
        lambda s: (s.get("rejected") or {}).get("version") == manifests.WORSE,
        seconds=240,
    )
    assert status["rejected"]["message"].startswith("golden: ")
    _nobody_met_it(space, manifests.WORSE)


def test_a_gaming_prompt_passes_an_eval_of_few_cases_and_is_stopped_by_a_replay(
    opened: Open, system: Kubectl
) -> None:
    space = opened("e2e-learning-gaming")
    _refused_and_deployed_all_the_same(system, space, GAMING, manifests.GAMING)
    status = space.until(
        "the replay failed",
        lambda s: (s.get("rejected") or {}).get("version") == manifests.GAMING,
        seconds=300,
    )
    assert status["rejected"]["message"].startswith("replayed: ")
    (golden,) = space.kubectl.list("jobs", "agentrollouts.io/proof=golden")
    assert golden["status"]["succeeded"] == 1
    _nobody_met_it(space, manifests.GAMING)
