"""Installs the chart as a user would, with evidence read often enough for a demo."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from hack.demo import screen
from hack.demo.kubectl import Kubectl

RELEASE = "agent-rollouts"
ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = f"/api/v1/namespaces/{RELEASE}/services/http:{RELEASE}-prometheus:9090/proxy"
BUILT = ROOT / ".state" / "images.json"


class InstallError(RuntimeError):
    """Helm said no; the message is what it printed."""


def chart(
    console: Console,
    kubectl: Kubectl,
    helm: str,
    *settings: str,
    values: Mapping[str, object] | None = None,
) -> None:
    """Install or upgrade the chart with these values, and wait until everything in it is ready.

    ``settings`` are written as for ``--set``; ``values`` are whole parts of the values, by their names.
    """
    line = f"helm upgrade --install {RELEASE} charts/{RELEASE} --namespace {RELEASE} --create-namespace"
    screen.command(console, line)
    chosen = ("prometheus.bundled.scrapeIntervalSeconds=2", *settings)
    words = [word for each in chosen for word in ("--set", each)]
    for name, value in (values or {}).items():
        words += ["--set-json", f"{name}={json.dumps(value)}"]
    run(helm, kubectl.kubeconfig, *line.split()[1:], *words, *_builds(), "--wait", "--timeout", "5m")


def run(helm: str, kubeconfig: Path, *args: str) -> str:
    """Run helm on the project's kubeconfig. Raises InstallError."""
    done = subprocess.run(
        [helm, "--kubeconfig", str(kubeconfig), *args],
        cwd=ROOT,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InstallError(done.stderr.strip() or done.stdout.strip())
    return done.stdout


def _builds() -> list[str]:
    """An annotation for each image's content: its tag never changes, so this is what makes pods of a new build."""
    if not BUILT.exists():
        return []
    builds = json.loads(BUILT.read_text())
    return [
        word
        for part in ("operator", "router")
        for word in (
            "--set-string",
            f"{part}.podAnnotations.build={builds.get('operator', '')}-{builds.get(part, '')}",
        )
    ]


def namespace(kubectl: Kubectl) -> None:
    """An empty namespace: what an earlier demo left is deleted first."""
    kubectl.run("delete", "namespace", kubectl.namespace, "--ignore-not-found", timeout=180)
    kubectl.run("create", "namespace", kubectl.namespace)
