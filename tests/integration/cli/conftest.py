"""The program as its users start it, on a real API server, with a rollout that waits at a gate."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.cli.app import main
from hack.apiserver import ApiServer
from tests.integration.admission.policies import installed, rule
from tests.integration.api import Api, Object
from tests.integration.cli.people import Person, person
from tests.integration.crds.examples import changed

DIGEST = "sha256:" + "a" * 64
TIME = "2026-01-05T12:00:00.000000Z"
LOOKER = rule(["rollouts", "agentversions", "approvalgates"], ["get", "list", "watch"])
EDITOR = rule(["rollouts", "agentversions"], ["get", "list", "watch", "create", "update", "patch"])
APPROVER = rule(["approvalgates"], ["get", "list", "watch", "patch", "approve"])


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended."""

    status: int
    out: str
    err: str


Program = Callable[..., Ended]


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Run ``agentrollout`` with these arguments as this person."""

    def run(*arguments: str, by: Person | None = None) -> Ended:
        monkeypatch.setattr(sys, "argv", ["agentrollout", *arguments])
        monkeypatch.setenv("KUBECONFIG", str(by.kubeconfig) if by else "/nowhere/config")
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Ended(int(ended.value.code or 0), captured.out, captured.err)

    return run


@dataclass(frozen=True, slots=True)
class Shop:
    """A namespace with its people and one agent."""

    api: Api
    namespace: str
    ada: Person
    """May approve."""
    ben: Person
    """May approve."""
    eve: Person
    """May look, and write approval gates, but not approve."""
    dan: Person
    """May change rollouts."""

    def rollout(self) -> Object:
        return self.api.get(self._object("rollout", "support"))

    def gate(self) -> Object:
        return self.api.get(self._object("gate", "support-1.2.0-1"))

    def annotations(self, what: Object) -> dict[str, str]:
        written = what["metadata"].get("annotations") or {}
        return {key.removeprefix("agentrollouts.io/"): value for key, value in written.items()}

    def set_status(self, base: str, name: str, **status: Any) -> None:
        self.api.patch(self._object(base, name), {"status": status}, subresource="status")

    def _object(self, base: str, name: str) -> Object:
        return changed(base, {"metadata.namespace": self.namespace, "metadata.name": name})


@pytest.fixture
def shop(admin: Api, apiserver: ApiServer, tmp_path: Path) -> Shop:
    """1.2.0 is on its way at 50% and waits at its gate for two approvals."""
    namespace = f"test-{uuid.uuid4().hex[:10]}"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    people = {
        name: person(admin, apiserver, namespace, name=name, rules=rules, folder=tmp_path)
        for name, rules in (
            ("ada", [LOOKER, APPROVER]),
            ("ben", [LOOKER, APPROVER]),
            ("eve", [LOOKER, rule(["approvalgates"], ["patch"])]),
            ("dan", [LOOKER, EDITOR]),
        )
    }
    place = {"metadata.namespace": namespace}
    admin.create(changed("rollout", place))
    admin.create(changed("version", place))
    admin.create(changed("gate", {**place, "metadata.name": "support-1.2.0-1", "spec.quorum": 2}))
    built = Shop(admin, namespace, **people)
    share = {"cohort": "candidate", "version": "1.2.0", "share": 5000, "previousShare": 2000}
    built.set_status(
        "rollout",
        "support",
        phase="AwaitingApproval",
        message="1.2.0 waits at 50% for approval of 100%",
        observedGeneration=1,
        stable={"version": "1.1.0", "digest": DIGEST, "since": TIME},
        candidate={
            "version": "1.2.0", "digest": DIGEST, "attempt": 1, "startedAt": TIME, "step": 2,
            "stepStartedAt": TIME, "share": 5000,
        },
        shares=[share, {"cohort": "stable", "version": "1.1.0", "share": 5000, "previousShare": 8000}],
    )  # fmt: skip
    return built


@pytest.fixture
def policies(admin: Api, namespace: str) -> Iterator[None]:
    """A server that vouches for names by itself."""
    with installed(admin, namespace, "validating.yaml", "mutating.yaml"):
        yield


@pytest.fixture
def older_policies(admin: Api, namespace: str) -> Iterator[None]:
    """A server that can only compare names."""
    with installed(admin, namespace, "validating.yaml"):
        yield
