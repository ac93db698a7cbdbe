"""One cluster and one installation for all stories; each module plays in a namespace of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from hack.cluster import tools
from hack.cluster.settings import child_environment, read_settings
from hack.demo import install
from hack.demo.kubectl import Kubectl
from tests.e2e.space import Space

ROOT = Path(__file__).resolve().parents[2]
MakeSpace = Callable[[str], Space]


def program(name: str) -> str:
    """The project's own build of a program, else the one on PATH."""
    built = tools.program_path(read_settings(os.environ), name)
    return str(built) if built.exists() else (shutil.which(name) or name)


@pytest.fixture(scope="session")
def system() -> Kubectl:
    """kubectl in the namespace of the installation, on a cluster that is up and holds the chart and images of this tree."""
    settings = read_settings(os.environ)
    status = subprocess.run(
        [sys.executable, "-m", "hack.cluster", "status"],
        cwd=ROOT, env=child_environment(settings), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert status.returncode == 0, f"no usable cluster, make one by `make cluster`: {status.stdout}"
    kubeconfig = Path(os.environ.get("KUBECONFIG") or ROOT / ".state" / "kubeconfig")
    os.environ.setdefault("KUBECACHEDIR", str(ROOT / ".state" / "kubectl-cache"))
    kubectl = Kubectl(program("kubectl"), kubeconfig, install.RELEASE)
    install.chart(Console(file=sys.stderr), kubectl, program("helm"))
    return kubectl


@pytest.fixture(scope="module")
def make_space(system: Kubectl) -> Iterator[MakeSpace]:
    """Makes namespaces that are gone afterwards."""
    made: list[Space] = []

    def make(name: str) -> Space:
        space = Space(Kubectl(system.program, system.kubeconfig, name))
        install.namespace(space.kubectl)
        made.append(space)
        space.start()
        return space

    try:
        yield make
    finally:
        for space in made:
            space.stop()
            space.kubectl.run("delete", "namespace", space.kubectl.namespace, "--wait=false")
