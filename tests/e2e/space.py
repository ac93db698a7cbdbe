"""A namespace in which a story plays: its rollout, its users and their ledger, and everything its route ever said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agent_load import Ledger, outcomes
from hack.demo import install, manifests
from hack.demo.kubectl import Kubectl, Watch
from hack.demo.measure import RouteHistory, counted, read_ledger

Status = dict[str, Any]
T = TypeVar("T")
QUICK = {"steps": [{"share": "30%", "soak": "3s"}, {"share": "50%", "soak": "3s"}]}
ANALYSIS = {
    "mode": "threshold",
    "interval": "1s",
    "minimumSessions": 30,
    "failures": {"every": "1s", "consecutive": 1},
}
"""Quick and simple: these tests are about what a decision does. How decisions come is told in test_decisions.py."""


def poll(what: Callable[[], T], good: Callable[[T], bool], *, name: str, seconds: float) -> T:
    """Ask until the answer is good; fails with the last answer after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        seen = what()
        if good(seen):
            return seen
        assert time.monotonic() < deadline, f"{name}: not within {seconds:g} s; last seen: {seen}"
        time.sleep(0.25)


@dataclass(slots=True)
class Space:
    """One namespace with the sample agent's Rollout."""

    kubectl: Kubectl
    history: RouteHistory = field(default_factory=RouteHistory)
    replicas: dict[str, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))
    """(asked for, ready) of every Deployment, each time it changed."""
    began: float = field(default_factory=time.monotonic)
    watches: list[Watch] = field(default_factory=list)

    def start(self) -> None:
        """Begin to take notes."""
        for kind, seen in (("agentroutes", self.history.seen), ("deployments", self._deployment)):
            watch = Watch(self.kubectl, kind, seen)
            watch.start()
            self.watches.append(watch)

    def stop(self) -> None:
        """End the notes."""
        for watch in self.watches:
            watch.stop()

    def _deployment(self, found: Mapping[str, Any]) -> None:
        size = (found["spec"]["replicas"], found["status"].get("readyReplicas", 0))
        self.replicas[found["metadata"]["name"]].append(size)

    @property
    def status(self) -> Status:
        """The Rollout's status."""
        return (self.kubectl.get("rollout", manifests.AGENT) or {}).get("status") or {}

    def agentrollout(self, *words: str) -> str:
        """``agentrollout`` as a user runs it."""
        env = {**os.environ, "KUBECONFIG": str(self.kubectl.kubeconfig)}
        command = [sys.executable, "-m", "agentrollouts.cli.app", *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, name: str, good: Callable[[Status], Any], *, seconds: float = 90) -> Status:
        """Wait for something in the Rollout's status."""
        return poll(lambda: self.status, lambda status: bool(good(status)), name=name, seconds=seconds)

    def first(self, semver: str = "1.0.0", **spec: Any) -> None:
        """The first version serves."""
        spec = {"strategy": QUICK, "analysis": ANALYSIS, **spec}
        self.kubectl.apply(*manifests.people(self.kubectl.namespace))
        self.kubectl.apply(manifests.version(semver), manifests.rollout(semver, **spec))
        self.until("the first version serves", lambda s: (s.get("stable") or {}).get("version") == semver)

    def propose(self, semver: str, **spec: Any) -> None:
        """A version is made and asked for."""
        self.kubectl.apply(manifests.version(semver))
        self.change(version=semver, **spec)

    def change(self, **spec: Any) -> None:
        """Patch the Rollout's spec."""
        self.kubectl.patch("rollout", manifests.AGENT, {"spec": spec})

    def request(self, word: str, value: str) -> None:
        """Ask for something by annotation."""
        self.kubectl.annotate("rollout", manifests.AGENT, f"agentrollouts.io/{word}={value}")

    def gate(self, semver: str) -> dict[str, Any]:
        """The newest gate of a version, once it is there."""

        def newest() -> dict[str, Any] | None:
            found = [g for g in self.kubectl.list("approvalgates") if g["spec"]["version"] == semver]
            return max(found, key=lambda g: int(g["metadata"]["name"].rsplit("-", 1)[1]), default=None)

        made = poll(newest, lambda g: g is not None, name=f"a gate for {semver}", seconds=60)
        assert made is not None
        return made

    def approve(self, semver: str, answer: str = "true", *, user: str = manifests.APPROVER) -> str:
        """Answer the newest gate of a version."""
        name = self.gate(semver)["metadata"]["name"]
        return self.kubectl.annotate("approvalgate", name, f"agentrollouts.io/approve={answer}", user=user)

    def users(self, *options: str, rate: float = 30) -> None:
        """Users arrive."""
        pod = manifests.users(rate=rate, seconds=600)
        pod["spec"]["containers"][0]["args"] += options
        self.kubectl.apply(pod)
        self.kubectl.run("wait", "pod/users", "--for=condition=Ready", "--timeout=120s", timeout=130)

    def met(self, semver: str, *, requests: int = 20) -> None:
        """Wait until users had so many answers from a version."""
        proxy = f"/api/v1/namespaces/{self.kubectl.namespace}/pods/users:8080/proxy"

        def answers() -> int:
            rows = json.loads(self.kubectl.raw(f"{proxy}/summary"))["counts"]
            return sum(row["requests"] for row in rows if row["version"] == semver)

        poll(answers, lambda n: n >= requests, name=f"{requests} answers of {semver}", seconds=60)

    def leave(self) -> Ledger:
        """The users finish what they began, and leave their ledger."""
        proxy = f"/api/v1/namespaces/{self.kubectl.namespace}/pods/users:8080/proxy"
        self.kubectl.post(f"{proxy}/stop")
        poll(
            lambda: json.loads(self.kubectl.raw(f"{proxy}/summary")),
            lambda summary: not summary["running"],
            name="the users left",
            seconds=60,
        )
        return read_ledger(self.kubectl)

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Tasks by (version, cohort, outcome) as Prometheus has them."""
        seconds = time.monotonic() - self.began
        return counted(self.kubectl, install.PROMETHEUS, manifests.AGENT, seconds=seconds)

    def counts_are_true(self, ledger: Ledger) -> None:
        """Prometheus comes to count exactly what users saw."""
        truth = {key: n for key, n in outcomes(ledger).items() if key[2] != "none"}
        poll(self.counts, lambda counts: counts == truth, name=f"counts equal {truth}", seconds=45)

    def shares(self, semver: str) -> list[int]:
        """The candidate's shares in the order in which the route had them."""
        return [change.after.get(("candidate", semver), 0) for change in list(self.history.changes)]
