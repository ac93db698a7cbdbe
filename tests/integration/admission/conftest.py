"""People with rights, a gate to answer, and the policies in both variants: with the server's stamp and without."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.admission.policies import allow, installed, rule
from tests.integration.api import Api, Object
from tests.integration.crds.examples import changed

Ask = Callable[..., Object]
EDITOR = rule(
    ["approvalgates", "rollouts", "agentversions"], ["get", "list", "watch", "create", "update", "patch"]
)
APPROVER = rule(["approvalgates"], ["get", "list", "watch", "patch", "update", "approve"])
OPERATOR = [
    rule(["approvalgates"], ["get", "list", "watch", "create", "delete"]),
    rule(["approvalgates/status", "rollouts/status"], ["get", "patch", "update"]),
    rule(["rollouts"], ["get", "list", "watch"]),
]


@pytest.fixture(scope="module")
def home(admin: Api) -> str:
    """A namespace where alice, bob and carol approve, dave edits, erin's group approves and the operator operates."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    allow(admin, name, "editor", [EDITOR], "alice", "bob", "dave")
    allow(
        admin, name, "approver", [APPROVER], "alice", "bob", "carol", "group:release-managers", "Smith, Jane"
    )
    allow(
        admin,
        name,
        "approver-of-one",
        [rule(["approvalgates"], ["get", "patch"]), rule(["approvalgates"], ["approve"], "his-gate")],
        "frank",
    )
    allow(admin, name, "operator", OPERATOR, "operator")
    return name


@pytest.fixture(scope="module")
def stamping(admin: Api, home: str) -> Iterator[None]:
    """The policies of a server that stamps names."""
    with installed(admin, home, "validating.yaml", "mutating.yaml"):
        yield


@pytest.fixture(scope="module")
def older(admin: Api, home: str) -> Iterator[None]:
    """The policies of a server without MutatingAdmissionPolicy."""
    with installed(admin, home, "validating.yaml"):
        yield


@pytest.fixture
def ask(admin: Api, home: str) -> Ask:
    """Makes a gate as the operator does; alice asked for the version."""

    def make(*, name: str = "", **spec: Any) -> Object:
        place = {"metadata.namespace": home, "metadata.name": name or f"support-{uuid.uuid4().hex[:8]}"}
        fields = {f"spec.{field}": value for field, value in spec.items()}
        return admin.as_user("operator").create(changed("gate", place | fields))

    return make
