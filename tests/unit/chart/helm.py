"""The chart as helm renders it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from hack.cluster import tools
from hack.cluster.settings import read_settings

REPOSITORY = Path(__file__).parents[3]
CHART = REPOSITORY / "charts" / "agent-rollouts"
MUTATING = "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
Object = dict[str, Any]


class HelmError(Exception):
    """helm refused; the text is what a user reads."""


def helm(*arguments: str) -> str:
    """Run the project's helm, which is built on first use, away from the user's own helm folders."""
    settings = read_settings(os.environ)
    program = tools.program_path(settings, "helm")
    if not program.exists():
        program = tools.build(settings, "helm", log=settings.logs / "build-helm.log")
    folders = {
        f"HELM_{name}_HOME": str(settings.state / "helm" / name.lower())
        for name in ("CACHE", "CONFIG", "DATA")
    }
    ended = subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, check=False, env={**os.environ, **folders}
    )
    if ended.returncode:
        raise HelmError(ended.stderr)
    return ended.stdout


def rendered(*arguments: str) -> str:
    """The manifests, as for a server of the newest Kubernetes the project knows."""
    values = ("-n", "agent-rollouts", "--kube-version", "1.36.3", "--api-versions", MUTATING)
    return helm("template", "agent-rollouts", str(CHART), *values, *arguments)


def objects(*arguments: str) -> Sequence[Object]:
    """The manifests, parsed."""
    return [each for each in yaml.safe_load_all(rendered(*arguments)) if each]


def values_of(name: str) -> tuple[str, str]:
    """The arguments for one of the chart's own sets of values."""
    return "-f", str(CHART / "ci" / f"{name}-values.yaml")
