"""Nodes that are only played: kwok beside the real node, for measuring fleets larger than the machine.

Fake nodes carry an annotation (kwok manages only those), a taint (nothing lands there by accident) and a
label. Pods that tolerate the taint become Ready there at once and use nothing.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from hack.cluster import clients, tools
from hack.cluster.commands import attempt, run_logged, tail_of
from hack.cluster.errors import ClusterError
from hack.cluster.native import processes
from hack.cluster.native.layout import MARK
from hack.cluster.polling import wait_for
from hack.cluster.progress import Step
from hack.cluster.settings import Settings, child_environment

KEY = "kwok.x-k8s.io/node"
LABEL = "agentrollouts.io/fake-node"
STAGES = "hack/kwok-stages.yaml"
READY_SECONDS = 60.0


def _folder(settings: Settings) -> Path:
    return settings.state / "kwok"


def command_line(program: Path, *, kubeconfig: Path, stages: Path) -> list[str]:
    """kwok, managing only nodes that carry the annotation."""
    return [
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--config={stages}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={KEY}=fake",
        "--server-address=127.0.0.1:0",
        "--node-lease-duration-seconds=40",
    ]


def fake_node(number: int) -> Mapping[str, object]:
    """A node with room for a thousand pods that use nothing."""
    room = {"cpu": "1000", "memory": "4Ti", "pods": "1000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"fake-{number:03d}",
            "annotations": {KEY: "fake", "node.alpha.kubernetes.io/ttl": "0"},
            "labels": {
                LABEL: "true",
                "kubernetes.io/hostname": f"fake-{number:03d}",
                "kubernetes.io/os": "linux",
            },
        },
        "spec": {"taints": [{"key": KEY, "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": room, "capacity": room},
    }


def up_steps(settings: Settings, *, kubeconfig: Path, nodes: int) -> list[Step]:
    """Build kwok where it is missing, start it, make the nodes, wait until they are Ready."""
    kubectl = [str(clients.client(settings, "kubectl")), f"--kubeconfig={kubeconfig}"]
    environment = child_environment(settings)

    def start(_: Path) -> None:
        folder = _folder(settings)
        if not processes.running(folder):
            program = tools.program_path(settings, "kwok")
            processes.start(
                "kwok",
                command_line(program, kubeconfig=kubeconfig, stages=settings.repository / STAGES),
                pids=folder,
                log=folder / "kwok.log",
                environment={**environment, MARK: "kwok"},
            )

    def make_nodes(log: Path) -> None:
        listing = {
            "apiVersion": "v1",
            "kind": "List",
            "items": [fake_node(number) for number in range(nodes)],
        }
        run_logged(
            [*kubectl, "apply", "-f", "-"], log=log, environment=environment, stdin=json.dumps(listing)
        )
        wait_for("fake nodes Ready", lambda: _ready(settings, kubectl, environment), seconds=READY_SECONDS)

    return [
        *tools.build_steps(settings, [*clients.lacking(settings), "kwok"]),
        Step("start kwok", start),
        Step(f"make {nodes} fake node{'' if nodes == 1 else 's'}", make_nodes),
    ]


def _ready(settings: Settings, kubectl: list[str], environment: Mapping[str, str]) -> bool:
    folder = _folder(settings)
    if not processes.running(folder):
        raise ClusterError(f"kwok should be running and has ended:\n{tail_of(folder / 'kwok.log')}")
    wait = ["wait", "--for=condition=Ready", "node", f"--selector={LABEL}=true", "--timeout=2s"]
    return attempt([*kubectl, *wait], environment=environment).returncode == 0


def down_steps(settings: Settings, *, kubeconfig: Path) -> list[Step]:
    """Delete the fake nodes where the cluster still answers, and stop kwok."""
    running = processes.running(_folder(settings))
    if not processes.recorded(_folder(settings)):
        return []

    def action(log: Path) -> None:
        kubectl = clients.client(settings, "kubectl")
        command = [str(kubectl), f"--kubeconfig={kubeconfig}", "--request-timeout=10s", "delete", "nodes"]
        gone = attempt([*command, f"--selector={LABEL}=true"], environment=child_environment(settings))
        log.write_text(f"{gone.stdout}{gone.stderr}", encoding="utf-8")
        processes.stop(list(running.values()))
        for record in _folder(settings).glob("*.json"):
            record.unlink()

    return [Step("stop kwok", action)]
