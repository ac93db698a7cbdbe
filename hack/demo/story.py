"""The demo's story, chapter by chapter. Each chapter waits for what it promises and fails loudly when it doesn't come."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.live import Live

from agent_load import Ledger
from hack.demo import manifests, screen
from hack.demo.kubectl import Kubectl, KubectlError
from hack.demo.measure import Counts, Fact, RouteHistory, counted, facts, read_ledger

RATE = 40
"""Tasks a second of all users together."""
BETTER, WORSE, CRASHING = "2.0.0", "2.1.0", "2.3.0"


class StoryError(RuntimeError):
    """Something the demo promises didn't happen."""


@dataclass(slots=True)
class Stage:
    """Where the story plays."""

    kubectl: Kubectl
    console: Console
    prometheus: str
    history: RouteHistory = field(default_factory=RouteHistory)
    rollout: dict[str, Any] | None = None
    route: dict[str, Any] | None = None
    most_share: dict[str, int] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    def saw_route(self, route: dict[str, Any]) -> None:
        """Take in a change of the route."""
        self.route = route
        self.history.seen(route)
        for arm in route["spec"]["arms"]:
            if arm["cohort"] == "candidate":
                self.most_share[arm["version"]] = max(arm["share"], self.most_share.get(arm["version"], 0))

    @property
    def status(self) -> dict[str, Any]:
        """The Rollout's status as last seen."""
        status: dict[str, Any] = (self.rollout or {}).get("status") or {}
        return status

    def tallies(self) -> Mapping[tuple[str, str], Mapping[str, int]]:
        """Outcomes by (version, cohort) from Prometheus; empty while it doesn't answer."""
        query = (
            f'sum by (version, cohort, outcome) (agent_tasks_total{{namespace="{self.kubectl.namespace}"}})'
        )
        try:
            answer = json.loads(
                self.kubectl.raw(f"{self.prometheus}/api/v1/query?query={quote(query)}", timeout=5)
            )
        except (KubectlError, ValueError):
            return {}
        result: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
        for row in answer["data"]["result"]:
            labels = row["metric"]
            result[labels["version"], labels["cohort"]][labels["outcome"]] = int(float(row["value"][1]))
        return result


def until(stage: Stage, done: Callable[[dict[str, Any]], bool], *, what: str, seconds: float) -> None:
    """Show the rollout live until ``done(status)``. Raises StoryError after so many seconds."""
    deadline = time.monotonic() + seconds
    with Live(console=stage.console, refresh_per_second=4, transient=True) as live:
        while True:
            stage.rollout = stage.kubectl.get("rollout", manifests.AGENT)
            live.update(screen.view(stage.rollout, stage.route, stage.tallies()))
            if done(stage.status):
                break
            if time.monotonic() > deadline:
                raise StoryError(
                    f"{what} did not happen within {seconds:.0f} s; status: {stage.status.get('phase')} {stage.status.get('message')}"
                )
            time.sleep(0.5)
    stage.console.print(screen.view(stage.rollout, stage.route, stage.tallies()))


def first_version(stage: Stage) -> None:
    """1.0.0 is installed and users arrive."""
    screen.say(
        stage.console,
        "Version 1.0.0 of the support agent is the first: it serves as soon as its pods are ready.",
    )
    stage.kubectl.apply(*manifests.people(stage.kubectl.namespace))
    stage.kubectl.apply(manifests.version("1.0.0"), manifests.rollout("1.0.0"))
    until(
        stage, lambda s: (s.get("stable") or {}).get("version") == "1.0.0", what="1.0.0 serving", seconds=120
    )
    screen.say(stage.console, "400 users arrive. They know the right answers, and write down what they get.")
    stage.kubectl.apply(manifests.users(rate=RATE, seconds=900))
    stage.kubectl.run("wait", "pod/users", "--for=condition=Ready", "--timeout=120s", timeout=130)


def propose(stage: Stage, semver: str) -> None:
    """A new version is applied and asked for, as a user or a GitOps tool would."""
    stage.kubectl.apply(manifests.version(semver))
    ask_for(stage, semver)


def ask_for(stage: Stage, semver: str) -> None:
    """A person asks for a version that is there."""
    patch = f'{{"spec":{{"version":"{semver}"}}}}'
    stage.kubectl.run("patch", "rollout", manifests.AGENT, "--type=merge", "-p", patch)
    screen.command(stage.console, f"kubectl patch rollout {manifests.AGENT} --type=merge -p '{patch}'")


def better_version(stage: Stage) -> None:
    """A better version climbs, waits, and becomes stable by a person's word."""
    screen.say(
        stage.console,
        f"{BETTER} answers more questions right. It starts with 10% and has to earn every step.",
    )
    propose(stage, BETTER)
    until(stage, lambda s: s.get("phase") == "AwaitingApproval", what="the gate", seconds=180)
    gate = next(
        g["metadata"]["name"] for g in stage.kubectl.list("approvalgates") if g["spec"]["version"] == BETTER
    )
    screen.say(stage.console, "It waits at 50%: the last step needs a person who has the right to approve.")
    line = f"kubectl annotate approvalgate {gate} agentrollouts.io/approve=true"
    refuse(stage, gate, line, user=manifests.BYSTANDER)
    stage.kubectl.annotate("approvalgate", gate, "agentrollouts.io/approve=true", user=manifests.APPROVER)
    screen.command(stage.console, f"{line} --as={manifests.APPROVER}", f"approvalgate/{gate} annotated")
    until(stage, lambda s: s["stable"]["version"] == BETTER, what=f"the promotion of {BETTER}", seconds=30)


def refuse(stage: Stage, gate: str, line: str, *, user: str) -> None:
    """Somebody without the verb tries first."""
    try:
        stage.kubectl.annotate("approvalgate", gate, "agentrollouts.io/approve=true", user=user)
    except KubectlError as refusal:
        screen.command(stage.console, f"{line} --as={user}", str(refusal), refused=True)
        return
    raise StoryError(f"{user} has no approve verb, and could open gate {gate} all the same")


def worse_version(stage: Stage) -> None:
    """A version that answers 200 on everything, and wrong on a third of it."""
    screen.say(stage.console, f"{WORSE} answers 200 on everything, only a third of its answers is wrong.")
    propose(stage, WORSE)
    until(
        stage,
        lambda s: (s.get("rejected") or {}).get("version") == WORSE,
        what=f"the rollback of {WORSE}",
        seconds=120,
    )


def crashing_version(stage: Stage) -> None:
    """A version that dies a few seconds after its start."""
    screen.say(
        stage.console, f"{CRASHING} starts, looks well, and crashes after a few seconds, again and again."
    )
    propose(stage, CRASHING)
    until(
        stage,
        lambda s: (s.get("rejected") or {}).get("version") == CRASHING,
        what=f"the rollback of {CRASHING}",
        seconds=180,
    )


def reckoning(stage: Stage) -> list[Fact]:
    """The users stop, and what they wrote down is held against what everybody else counted."""
    screen.say(
        stage.console,
        "The users leave. What they wrote down is compared with what was routed, decided and counted.",
    )
    ledger = leave(stage)
    rows = settled(
        stage,
        lambda counts: facts(ledger, stage.history, counts, rolled_back=(WORSE, CRASHING), crashing=CRASHING),
    )
    first = stage.most_share.get(CRASHING, 0)
    rows.append(Fact(f"largest share of {CRASHING}", f"{first / 100:g}%", "at most 10%", first <= 1_000))
    stable = stage.status.get("stable", {}).get("version", "")
    rows.append(Fact("version that serves at the end", stable, BETTER, stable == BETTER))
    return rows


def leave(stage: Stage) -> Ledger:
    """The users finish what they began, and leave their ledger."""
    proxy = f"/api/v1/namespaces/{stage.kubectl.namespace}/pods/users:8080/proxy"
    stage.kubectl.post(f"{proxy}/stop")
    while json.loads(stage.kubectl.raw(f"{proxy}/summary"))["running"]:
        time.sleep(0.5)
    return read_ledger(stage.kubectl)


def settled(stage: Stage, look: Callable[[Counts], list[Fact]]) -> list[Fact]:
    """The facts once Prometheus has scraped the last task; looks again until they hold or a minute has passed."""
    deadline = time.monotonic() + 60
    while True:
        seconds = time.monotonic() - stage.began
        rows = look(counted(stage.kubectl, stage.prometheus, manifests.AGENT, seconds=seconds))
        if all(fact.holds for fact in rows) or time.monotonic() > deadline:
            return rows
        time.sleep(1)
