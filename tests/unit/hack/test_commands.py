import io
import os
import sys
from pathlib import Path

import pytest

from hack.cluster import packages, settings
from hack.cluster.commands import attempt, run_logged
from hack.cluster.errors import ClusterError, CommandError
from hack.cluster.polling import wait_for
from hack.cluster.progress import Step, run_steps
from hack.cluster.providers.existing import Existing, load_command
from hack.cluster.providers.probe import node_facts
from hack.setup import uv_is_recent


def succeed(log: Path) -> None:
    log.write_text("fine", encoding="utf-8")


def fail(log: Path) -> None:
    run_logged([sys.executable, "-c", "print('the reason'); raise SystemExit(3)"], log=log)


def test_a_failing_step_shows_the_end_of_its_log_and_stops_the_rest(tmp_path: Path) -> None:
    out, later = io.StringIO(), list[Path]()
    steps = [
        Step("first", succeed),
        Step("breaks", fail),
        Step("never", later.append),
    ]
    with pytest.raises(CommandError) as raised:
        run_steps("work", steps, logs=tmp_path, out=out)
    shown = out.getvalue()
    assert "[ 2/3] breaks" in shown
    assert "the reason" in shown
    assert raised.value.code == 3
    assert later == []
    assert "the reason" in (tmp_path / "02-work-breaks.log").read_text(encoding="utf-8")


def test_a_missing_program_and_an_overrun_are_answers_not_crashes() -> None:
    assert attempt(["no-such-program-here"]).returncode == 127
    assert attempt([sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.2).returncode == 124
    with pytest.raises(ClusterError, match="no-such-program-here"):
        run_logged(["no-such-program-here"], log=Path(os.devnull))


def test_waiting_ends_with_what_was_expected_and_the_hint() -> None:
    with pytest.raises(ClusterError, match=r"the moon: expected within 0.01 s.*look up"):
        wait_for("the moon", lambda: None, seconds=0.01, hint=lambda: "look up", every=0.001)
    assert wait_for("a number", lambda: 7, seconds=1) == 7


def test_child_processes_see_only_the_projects_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/home/user/.kube/config")
    monkeypatch.setenv("HELM_CONFIG_HOME", "/home/user/.config/helm")
    mine = settings.read_settings({"AGENT_ROLLOUTS_STATE": str(tmp_path)})
    environment = settings.child_environment(mine)
    named = {
        key: value for key, value in environment.items() if key == "KUBECONFIG" or key.startswith("HELM_")
    }
    assert all(not value or value.startswith(str(tmp_path)) for value in named.values())
    assert environment["KUBECONFIG"] == str(tmp_path / "kubeconfig")


def test_packages_are_announced_with_their_reasons() -> None:
    wanted = [packages.Package("runc", "starts the containers", ("no-such-program",))]
    text = packages.announcement(wanted)
    assert "runc" in text
    assert "starts the containers" in text
    assert packages.absent([*wanted, packages.Package("x", "y", (sys.executable,))]) == wanted


def test_the_systems_own_folders_are_searched_after_the_users() -> None:
    assert packages.search_path("/mine:/usr/bin").split(":")[:2] == ["/mine", "/usr/bin"]
    assert "/usr/sbin" in packages.search_path("")


@pytest.mark.parametrize(
    ("context", "asked", "expected"),
    [
        ("kind-dev", "", ["kind", "load", "image-archive", "--name", "dev", "/a.tar"]),
        ("k3d-x", "", ["k3d", "image", "import", "--cluster", "x", "/a.tar"]),
        ("minikube", "", ["minikube", "image", "load", "/a.tar"]),
        ("docker-desktop", "", []),
        ("production", "", None),
        ("production", "ssh 'my node' import", ["ssh", "my node", "import", "/a.tar"]),
    ],
)
def test_images_reach_an_existing_cluster_in_its_own_way(
    context: str, asked: str, expected: list[str] | None
) -> None:
    assert load_command(context, Path("/a.tar"), asked=asked) == expected


def test_an_existing_cluster_has_to_be_named() -> None:
    with pytest.raises(ClusterError, match="KUBECONFIG=/path/to/kubeconfig"):
        Existing(settings.read_settings({"CLUSTER": "existing"}), engine=None)


def node(name: str, *, ready: str) -> dict[str, object]:
    info = {"kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2"}
    status = {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": info}
    return {"metadata": {"name": name}, "status": status}


def test_a_cluster_is_ready_when_all_its_nodes_are() -> None:
    assert node_facts({"items": []}) == (False, "none")
    assert node_facts({"items": [node("a", ready="True")]})[0]
    ready, text = node_facts({"items": [node("a", ready="True"), node("b", ready="Unknown")]})
    assert not ready
    assert "b NotReady" in text


@pytest.mark.parametrize(
    ("text", "expected"), [("uv 0.13.8 (x)", True), ("uv 1.0.0", True), ("uv 0.4.1", False), ("", False)]
)
def test_an_old_uv_is_passed_over(text: str, expected: bool) -> None:
    assert uv_is_recent(text) is expected
