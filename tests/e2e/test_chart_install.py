"""The chart on the real cluster: installed, tested, upgraded and removed, as a second release beside whatever is there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hack.cluster import tools
from hack.cluster.settings import child_environment, read_settings
from tests.unit.chart.helm import CHART

NAMESPACE, RELEASE = "chart-test", "trial"
FULLNAME = f"{RELEASE}-agent-rollouts"
SMALL = (
    "operator.replicas=1",
    "router.replicas=1",
    "router.drainSeconds=1",
    f"watchNamespaces={{{NAMESPACE}}}",
)
WAIT = "180s"
Program = Callable[..., str]


def program(name: str) -> Program:
    """A program of the project's tools, on the cluster under test."""
    settings = read_settings(os.environ)
    extra = {"KUBECONFIG": os.environ["KUBECONFIG"]} if os.environ.get("KUBECONFIG") else {}

    def run(*arguments: str) -> str:
        ended = subprocess.run(
            [str(tools.program_path(settings, name)), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=child_environment(settings, extra),
        )
        assert ended.returncode == 0, f"{name} {' '.join(arguments)}: {ended.stderr}{ended.stdout}"
        return ended.stdout

    return run


@pytest.fixture(scope="module")
def kubectl() -> Program:
    return program("kubectl")


@pytest.fixture(scope="module")
def helm(kubectl: Program) -> Iterator[Program]:
    """helm, with a cluster that is afterwards as it was: definitions outlive a release, and belong to it for ever."""
    run, there = program("helm"), definitions(kubectl)
    kubectl("create", "namespace", NAMESPACE)
    try:
        yield run
    finally:
        run("uninstall", RELEASE, "-n", NAMESPACE, "--ignore-not-found", "--wait", "--timeout", WAIT)
        kubectl("delete", "namespace", NAMESPACE, "--wait", "--timeout", WAIT)
        ours = [name for name in definitions(kubectl) if name not in there]
        if ours:
            kubectl("delete", *ours, "--wait", "--timeout", WAIT)


def named(kubectl: Program, kinds: str, *where: str) -> list[str]:
    """The release's objects of these kinds."""
    listing = kubectl("get", kinds, *where, "-l", f"app.kubernetes.io/instance={RELEASE}", "-o", "name")
    return sorted(listing.split())


def definitions(kubectl: Program) -> list[str]:
    """Names of our CRDs that exist."""
    return [
        name for name in kubectl("get", "crd", "-o", "name").split() if name.endswith(".agentrollouts.io")
    ]


def deployment(kubectl: Program, component: str) -> dict[str, Any]:
    """One Deployment of the release."""
    found: dict[str, Any] = json.loads(
        kubectl("get", "deployment", f"{FULLNAME}-{component}", "-n", NAMESPACE, "-o", "json")
    )
    return found


def test_install_test_upgrade_and_remove(kubectl: Program, helm: Program) -> None:
    there = definitions(kubectl)
    # Another release's definitions are shared, not taken over; where there are none they come with this one.
    values = [*SMALL, f"crds.install={'false' if there else 'true'}"]
    given = [part for value in values for part in ("--set", value)]
    place = ("-n", NAMESPACE, "--wait", "--timeout", WAIT)

    notes = helm("install", RELEASE, str(CHART), *place, *given)
    assert f"looking after {NAMESPACE}" in notes
    assert "agentrollout get AGENT -w" in notes
    pods = named(kubectl, "pods", "-n", NAMESPACE)
    assert len(pods) == 3, pods
    for component in ("operator", "router", "prometheus"):
        assert deployment(kubectl, component)["status"]["readyReplicas"] == 1

    assert "Succeeded" in helm("test", RELEASE, "-n", NAMESPACE, "--timeout", WAIT)

    changed = (
        *given,
        "--set",
        "prometheus.bundled.scrapeIntervalSeconds=2",
        "--set",
        "operator.logLevel=debug",
    )
    helm("upgrade", RELEASE, str(CHART), *place, *changed)
    assert deployment(kubectl, "operator")["metadata"]["generation"] == 2
    assert deployment(kubectl, "prometheus")["metadata"]["generation"] == 2, (
        "a new configuration is a new pod"
    )
    assert deployment(kubectl, "router")["metadata"]["generation"] == 1, "what didn't change goes on"

    helm("uninstall", RELEASE, *place)
    ours = ("-l", f"app.kubernetes.io/instance={RELEASE}", "-n", NAMESPACE)
    kubectl("wait", "pods", *ours, "--for=delete", "--timeout", WAIT)
    everything = (
        "deployments,pods,services,configmaps,serviceaccounts,roles,rolebindings,poddisruptionbudgets"
    )
    assert named(kubectl, everything, "-n", NAMESPACE) == []
    assert named(kubectl, "clusterroles,clusterrolebindings") == []
    policies = "validatingadmissionpolicies,validatingadmissionpolicybindings"
    assert [name for name in kubectl("get", policies, "-o", "name").split() if f"/{RELEASE}-" in name] == []
    assert set(definitions(kubectl)) >= set(there)
    assert len(definitions(kubectl)) == 4, (
        "the definitions, and all objects of their kinds, outlive the release"
    )
