"""The improver's service account with the rights that the chart gives it, under the chart's policies."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

import pytest
import yaml

from tests.fakes.improvable import version
from tests.integration.admission.policies import FOLDER, allow
from tests.integration.api import OURS, Api, Object, RefusedError, wait_until
from tests.integration.crds.examples import changed

HOME, ACCOUNT = "agent-rollouts", "agent-rollouts-improver"
USER = f"system:serviceaccount:{HOME}:{ACCOUNT}"
RULES_FILE = FOLDER.parents[1] / "templates" / "_rules.tpl"


def rules() -> Sequence[Object]:
    """The rules of the chart's Role, for the Rollout ``support``."""
    text = RULES_FILE.read_text().split('define "agent-rollouts.improverRules" -}}')[1].split("{{- end }}")[0]
    found: Sequence[Object] = yaml.safe_load(text.replace("{{ .name }}", "support"))
    return found


def documents() -> Sequence[Object]:
    """The chart's policies for a release named ``agent-rollouts`` in a namespace of that name."""
    text = (FOLDER / "improver.yaml").read_text()
    for template, value in (
        ("{{ .Release.Name }}", HOME),
        ("{{ .Release.Namespace }}", HOME),
        ('{{ include "agent-rollouts.fullname" . }}', "agent-rollouts"),
    ):
        text = text.replace(template, value)
    assert "{{" not in text
    return list(yaml.safe_load_all(text))


@pytest.fixture(scope="module")
def shop(admin: Api) -> str:
    """A namespace in which the improver has its Role, alice may do all, and a Rollout ``support`` serves 1.0.0."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    allow(admin, name, "improver", rules(), USER)
    everything = {"apiGroups": ["agentrollouts.io"], "resources": ["*"], "verbs": ["*"]}
    allow(admin, name, "editor", [everything], "alice")
    return name


@pytest.fixture(scope="module")
def guarded(admin: Api, shop: str) -> Iterator[None]:
    """The policies, enforced."""
    for body in documents():
        admin.apply(body, manager="test")
    improver = admin.as_user(USER)

    def in_force() -> bool:
        try:
            improver.create(placed(version("9.9.9"), shop), dry_run=True)
        except RefusedError as error:
            return "denied request" in str(error)
        return False

    wait_until("the improver's policies to be enforced", in_force)
    yield
    for body in documents():
        admin.delete(body)


def placed(body: Object, namespace: str) -> Object:
    body["metadata"]["namespace"] = namespace
    return body


@pytest.fixture
def rollout(admin: Api, shop: str, guarded: None) -> Iterator[Object]:
    """The Rollout ``support``, which serves 1.0.0 and allows its improver to start proposals."""
    body = changed(
        "rollout",
        {
            "metadata.namespace": shop,
            "spec.version": "1.0.0",
            "spec.proposals": {"autoStart": True},
            "metadata.annotations": {"team": "desk"},
            "metadata.labels": {"team": "desk"},
        },
    )
    admin.create(body)
    stable = {"version": "1.0.0", "digest": "sha256:" + "a" * 64, "since": "2026-01-01T00:00:00Z"}
    admin.patch(body, {"status": {"stable": stable}}, subresource="status")
    yield admin.get(body)
    admin.delete(body)


@pytest.fixture
def improver(admin: Api) -> Api:
    """The API as the improver's service account."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{HOME}")
    return admin.as_user(USER, *groups)


__all__ = ["OURS"]
