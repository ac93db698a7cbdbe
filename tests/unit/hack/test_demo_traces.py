"""What a demo leaves on a cluster that was there before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from hack.demo import traces
from hack.demo.kubectl import Kubectl
from hack.demo.traces import Found


def programs(folder: Path, *, revision: int) -> tuple[Kubectl, str]:
    """A kubectl and a helm that write down what they are asked."""
    kubectl, helm = folder / "kubectl", folder / "helm"
    kubectl.write_text(f'#!/bin/sh\nshift 4\necho "kubectl $*" >> {folder}/log\n')
    listed = f'[{{"name":"agent-rollouts","revision":"{revision}"}}]' if revision else "[]"
    helm.write_text(
        f"#!/bin/sh\nshift 2\necho \"helm $*\" >> {folder}/log\n[ $1 = list ] && echo '{listed}'\nexit 0\n"
    )
    for path in (kubectl, helm):
        path.chmod(0o755)
    return Kubectl(str(kubectl), folder / "config", "demo"), str(helm)


def log(folder: Path) -> list[str]:
    return [
        line
        for line in (folder / "log").read_text().splitlines()
        if " list " not in line and " get crd" not in line
    ]


def test_the_revision_of_a_release_is_found(tmp_path: Path) -> None:
    assert traces.look(*programs(tmp_path, revision=7), was_up=True) == Found(True, 7, frozenset())
    assert traces.look(*programs(tmp_path, revision=0), was_up=True).revision == 0


@pytest.mark.parametrize(
    ("before", "now", "first"),
    [(0, 1, "helm uninstall agent-rollouts"), (7, 8, "helm rollback agent-rollouts 7"), (7, 7, "")],
)
def test_a_release_goes_or_is_put_back_as_it_was(tmp_path: Path, before: int, now: int, first: str) -> None:
    console = Console(record=True, width=200)
    kubectl, helm = programs(tmp_path, revision=now)
    assert traces.remove(console, kubectl, helm, Found(True, before, frozenset()), target="demo-learn")
    asked = [line for line in log(tmp_path) if line.startswith("helm")]
    assert [line.partition(" -n ")[0] for line in asked] == ([first] if first else [])
    gone = "kubectl delete namespace agent-rollouts" in "\n".join(log(tmp_path))
    assert gone is (before == 0)
    assert "make demo-learn KEEP=1" in console.export_text()
