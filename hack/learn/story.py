"""The story: three authors for one agent, and what stands between their prompts and its users."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from agentrollouts.ledger.holdout import held_out
from agents.author.scripts import GAMING, GOOD, SCRIPTS, WORSE
from hack.demo import install, screen
from hack.demo.kubectl import Kubectl
from hack.demo.manifests import AGENT, APPROVER
from hack.demo.measure import Fact
from hack.demo.story import Stage, StoryError, ask_for, leave, refuse, settled, until
from hack.learn import facts, improver, manifests
from hack.learn import screen as own_screen
from hack.learn.facts import Learned
from hack.learn.ledger import Reader, forwarded, seen_and_held_out, token

ACCOUNT = f"system:serviceaccount:{install.RELEASE}:agent-rollouts-improver"
RATE = 24
"""Tasks a second of all users together: two cores have trials and replays to do besides."""
WRONG = 160
"""Wrong answers that users met before the improver is asked: more than it reads, with the fifth that it never sees."""


@dataclass(slots=True)
class Lesson(Stage):
    """Where this story plays, and what came of it so far."""

    learned: Learned = field(default_factory=Learned)

    @property
    def system(self) -> Kubectl:
        """The same cluster, in the namespace of the installation."""
        return Kubectl(self.kubectl.program, self.kubectl.kubeconfig, install.RELEASE)


def weak_version(stage: Lesson) -> None:
    """1.0.0 is installed with its weak prompt, and users arrive."""
    screen.say(
        stage.console,
        f"Version {manifests.FIRST} of the support agent is told to be brief and sure of itself. Nobody told it to look anything up.",
    )
    kubectl = stage.kubectl
    agent, reader = (token(stage.system, role) for role in ("agent", "reader"))
    kubectl.apply(*manifests.surroundings(kubectl.namespace, agent=agent, reader=reader))
    kubectl.apply(manifests.version(manifests.FIRST, manifests.WEAK), manifests.rollout(manifests.FIRST))
    until(
        stage,
        lambda s: (s.get("stable") or {}).get("version") == manifests.FIRST,
        what="1.0.0 serving",
        seconds=120,
    )
    screen.say(
        stage.console,
        "400 users arrive. The agent's own check knows which answers were wrong; the task ledger keeps them.",
    )
    kubectl.apply(manifests.users(rate=RATE, seconds=900))
    kubectl.run("wait", "pod/users", "--for=condition=Ready", "--timeout=120s", timeout=130)
    for name in (manifests.AUTHOR, manifests.TRIAL):
        kubectl.run("wait", f"deployment/{name}", "--for=condition=Available", "--timeout=120s", timeout=130)
    proxy = f"/api/v1/namespaces/{kubectl.namespace}/pods/users:8080/proxy"

    def enough(_: dict[str, Any]) -> bool:
        return bool(json.loads(kubectl.raw(f"{proxy}/summary"))["live"]["wrong"] >= WRONG)

    until(stage, enough, what=f"{WRONG} wrong answers", seconds=90)


def refused_authors(stage: Lesson) -> None:
    """Two prompts that their author believes in, and that the improver's own trial finds out."""
    screen.say(
        stage.console,
        "The improver asks a model for a better prompt. Scripts play the model here; what becomes of their prompts is real.",
    )
    for author, what in (
        (WORSE, "The first author's prompt answers faster, without looking anything up."),
        (
            GAMING,
            "The second one's gets most of what failed right: it reads the record twice, and refunds whoever asks.",
        ),
    ):
        screen.say(stage.console, what)
        said = improve(stage, author)
        if (said["action"], said["reason"]) != ("refused", "NoProposal"):
            raise StoryError(
                f"the trial should have refused the prompt of {author}; the improver said {said}"
            )
    made = [each["spec"]["version"] for each in stage.kubectl.list("agentversions")]
    screen.command(
        stage.console, "kubectl get agentversions -o name", "\n".join(f"{AGENT}-{each}" for each in made)
    )
    if made != [manifests.FIRST]:
        raise StoryError(f"no version should have come of a refused prompt; there are {', '.join(made)}")


def proposed_version(stage: Lesson) -> None:
    """The third author's prompt becomes a version that has to prove itself like any other."""
    screen.say(
        stage.console,
        "The third author's prompt looks an order up first, and reads it again. It holds in the trial.",
    )
    said = improve(stage, GOOD)
    if (said["action"], said.get("version"), said["started"]) != ("proposed", manifests.PROPOSED, True):
        raise StoryError(
            f"{manifests.PROPOSED} should have been proposed and begun; the improver said {said}"
        )
    _what_the_improver_saw(stage)
    screen.say(
        stage.console,
        "Before a single user meets it: thirty known questions, then 200 tasks that users were content with.",
    )
    for entry in manifests.BEFORE_TRAFFIC:
        passed(stage, manifests.PROPOSED, entry["name"])
    until(stage, lambda s: s.get("phase") == "AwaitingApproval", what="the gate", seconds=180)
    approved(stage)


def worse_version(stage: Lesson) -> None:
    """A refused prompt that a person deploys all the same is stopped by known questions."""
    screen.say(
        stage.console, "Somebody likes the first author's prompt, trial or not, and deploys it by hand."
    )
    deploy(stage, manifests.WORSE, WORSE)
    _rejected(stage, manifests.WORSE, by="golden")


def gaming_version(stage: Lesson) -> None:
    """What an eval of few cases can't see, a replay of real tasks does."""
    screen.say(stage.console, "Somebody else deploys the second author's.")
    deploy(stage, manifests.GAMING, GAMING)
    passed(stage, manifests.GAMING, "golden")
    screen.say(
        stage.console,
        "The thirty known questions all ask where an order is: none of them asks for money. Users did.",
    )
    _rejected(stage, manifests.GAMING, by="replayed")


def reckoning(stage: Lesson) -> list[Fact]:
    """The users stop, and what they wrote down is held against everything else."""
    screen.say(
        stage.console,
        "The users leave. What they wrote down is compared with what was routed, decided, counted and paid.",
    )
    ledger = leave(stage)
    stable = str(stage.status.get("stable", {}).get("version", ""))
    (agree,) = settled(stage, lambda counts: [facts.about_counts(ledger, counts)])
    return [*facts.about_users(ledger, stage.history), agree, *facts.about_learning(stage.learned, stable)]


def improve(stage: Lesson, author: str) -> dict[str, Any]:
    """One run of the improver with this author, shown as a person would begin it."""
    name = improver.cronjob(stage.system, stage.kubectl.namespace, AGENT)
    job = author.replace("author", "improve")
    for line in improver.commands(name, job, author):
        screen.command(stage.console, line)
    said = improver.run(stage.system, name, job, author)
    stage.console.print(own_screen.outcome(said))
    stage.learned.runs[author] = said
    return said


def deploy(stage: Lesson, semver: str, author: str) -> None:
    """A person's own version with an author's prompt."""
    script = SCRIPTS[author]
    version = manifests.version(
        semver, script.revised_system_prompt, parent=manifests.PROPOSED, rationale=script.rationale
    )
    stage.kubectl.apply(version)
    screen.command(
        stage.console, f"kubectl apply -f {AGENT}-{semver}.yaml", f"agentversion/{AGENT}-{semver} created"
    )
    ask_for(stage, semver)


def passed(stage: Lesson, semver: str, entry: str) -> None:
    """Wait until the candidate has passed an entry of spec.beforeTraffic."""

    def holds(status: dict[str, Any]) -> bool:
        candidate = status.get("candidate") or {}
        if candidate.get("version") != semver:
            return False
        return any(
            each["name"] == entry and each["verdict"] == "PASS" for each in candidate.get("proofs", ())
        )

    until(stage, holds, what=f"{entry} passed by {semver}", seconds=240)


def approved(stage: Lesson) -> None:
    """A person is asked, is shown why, and is not the one who asked."""
    gate = next(g for g in stage.kubectl.list("approvalgates") if g["spec"]["version"] == manifests.PROPOSED)
    old, new = (
        manifests.prompt_of(stage.kubectl.get("agentversion", f"{AGENT}-{each}") or {})
        for each in (manifests.FIRST, manifests.PROPOSED)
    )
    screen.say(stage.console, "It waits at 50%: what an agent wrote serves no majority without a person.")
    stage.console.print(own_screen.gate(gate, old, new))
    name = gate["metadata"]["name"]
    line = f"kubectl annotate approvalgate {name} agentrollouts.io/approve=true"
    refuse(stage, name, line, user=ACCOUNT)
    stage.kubectl.annotate("approvalgate", name, "agentrollouts.io/approve=true", user=APPROVER)
    screen.command(stage.console, f"{line} --as={APPROVER}", f"approvalgate/{name} annotated")
    until(stage, lambda s: s["stable"]["version"] == manifests.PROPOSED, what="the promotion", seconds=60)
    history = stage.status["history"][-1]
    stage.learned.approvers = tuple(each["approver"] for each in history["approvals"])
    stage.learned.requesters = tuple(gate["spec"]["requestedBy"].splitlines())
    stage.learned.written_by_agents = tuple(
        each["spec"]["version"]
        for each in stage.kubectl.list("agentversions")
        if each["spec"].get("lineage", {}).get("author") == "Agent"
    )


def _rejected(stage: Lesson, semver: str, *, by: str) -> None:
    until(
        stage,
        lambda s: (s.get("rejected") or {}).get("version") == semver,
        what=f"{semver} stopped",
        seconds=240,
    )
    stage.learned.rejected[semver] = stage.status["rejected"]
    if not str(stage.status["rejected"]["message"]).startswith(f"{by}: "):
        raise StoryError(f"{semver} should have been stopped by {by}; it was by {stage.status['rejected']}")


def _what_the_improver_saw(stage: Lesson) -> None:
    """Read while the ledger has every task that was there when the authors were asked."""
    system, learned = stage.system, stage.learned
    service = f"/api/v1/namespaces/{stage.kubectl.namespace}/services/http:{manifests.AUTHOR}:8080/proxy"
    asked = json.loads(stage.kubectl.raw(f"{service}/v1/asked"))
    whose = {"namespace": stage.kubectl.namespace, "agent": AGENT}
    with forwarded(system) as url:
        tasks = Reader(url, token(system, "reader")).tasks(**whose)
        mine = {task["id"] for task in Reader(url, token(system, "improver")).tasks(**whose)}
    held = [held_out(task["id"], manifests.HOLDOUT) for task in tasks]
    shown, learned.unknown, learned.held_out = seen_and_held_out(asked["inputs"], tasks, held)
    learned.shown = shown + sum(held_out(each, manifests.HOLDOUT) for each in mine)
    learned.used = asked["used"]
