"""The native cluster from nothing to nothing, on this very machine. It takes a running one down first."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.cluster.choice import choose
from hack.cluster.choice import look as look_for_engines
from hack.cluster.errors import NoProviderError
from hack.cluster.polling import wait_for
from tests.lifecycle import machine

REPOSITORY = Path(__file__).resolve().parents[2]
STATE = REPOSITORY / ".state"
RECORDS = Path("/run/agent-rollouts/pids")
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "lifecycle", "namespace": "default"},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [
            {
                "name": "pause",
                "image": "localhost/pause:3",
                "imagePullPolicy": "Never",
                "ports": [{"containerPort": 9, "hostPort": 40999}],
            }
        ],
    },
}


def chosen() -> str:
    try:
        return choose(os.environ.get("CLUSTER") or "auto", look_for_engines())
    except NoProviderError:
        return "none"


pytestmark = pytest.mark.skipif(chosen() != "native", reason="this machine makes its cluster in another way")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user with a kubeconfig of his own, which nothing may touch."""
    folder = tmp_path_factory.mktemp("home")
    (folder / ".kube").mkdir()
    (folder / ".kube/config").write_text("current-context: precious\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bare(home: Path) -> Iterator[machine.Machine]:
    """The machine without a cluster."""
    command(home, "down")
    yield machine.look()
    command(home, "down")


def environment(home: Path) -> dict[str, str]:
    cache = os.environ.get("AGENT_ROLLOUTS_CACHE") or str(Path.home() / ".cache/agent-rollouts")
    chosen_here = {"CLUSTER": "native", "HOME": str(home), "AGENT_ROLLOUTS_CACHE": cache}
    return {**os.environ, **chosen_here, "KUBECONFIG": str(home / ".kube/config")}


def attempt(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "hack.cluster", *words]
    return subprocess.run(
        argv, cwd=REPOSITORY, env=environment(home), capture_output=True, text=True, check=False
    )


def command(home: Path, *words: str) -> str:
    done = attempt(home, *words)
    assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def kubectl(*words: str, stdin: str = "") -> str:
    argv = [str(STATE / "bin/kubectl"), f"--kubeconfig={STATE / 'kubeconfig'}", *words]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=True).stdout


def start_pod() -> None:
    kubectl("apply", "-f", "-", stdin=json.dumps(POD))
    kubectl("wait", "--for=condition=Ready", "pod/lifecycle", "--timeout=60s")


def assert_as_before(bare: machine.Machine) -> None:
    now = machine.look()
    for field in dataclasses.fields(machine.Machine):
        before, after = getattr(bare, field.name), getattr(now, field.name)
        assert after == before, f"{field.name}: {sorted(set(after) ^ set(before))}"


def test_up_serves_pods_and_down_leaves_nothing(bare: machine.Machine, home: Path) -> None:
    assert attempt(home, "status").returncode == 1
    command(home, "up")
    assert "yes" in command(home, "status").splitlines()[-1]
    start_pod()
    assert any("40999" in rule for rule in machine.nat_rules())
    assert "already ready" in command(home, "up")
    command(home, "down")
    assert_as_before(bare)
    assert attempt(home, "status").returncode == 1
    assert (home / ".kube/config").read_text(encoding="utf-8") == "current-context: precious\n"
    assert sorted(path.name for path in (home / ".kube").iterdir()) == ["config"]


def test_a_cluster_that_was_cut_off_is_cleared_and_made_anew(bare: machine.Machine, home: Path) -> None:
    command(home, "up")
    start_pod()
    for name in ("kubelet", "containerd", "kube-apiserver"):
        record = json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))
        os.kill(record["pid"], signal.SIGKILL)
        (RECORDS / f"{name}.json").unlink()
    status = attempt(home, "status")
    assert status.returncode == 1
    assert "kubelet" in status.stdout or "does not answer" in status.stdout
    command(home, "up")
    assert kubectl("get", "pods", "--namespace=default", "-o", "name") == ""
    start_pod()
    command(home, "down")
    assert_as_before(bare)


def test_an_interrupted_start_goes_on_when_asked_again(bare: machine.Machine, home: Path) -> None:
    argv = [sys.executable, "-m", "hack.cluster", "up"]
    first = subprocess.Popen(
        argv, cwd=REPOSITORY, env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for("the API server started", (RECORDS / "kube-apiserver.json").exists, seconds=120, every=0.02)
    first.kill()
    first.wait()
    assert attempt(home, "status").returncode == 1
    command(home, "up")
    assert attempt(home, "status").returncode == 0
    command(home, "down")
    assert_as_before(bare)


def test_a_stranger_under_a_number_of_ours_is_left_alone(bare: machine.Machine, home: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        RECORDS.mkdir(parents=True)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        record = {"name": "etcd", "pid": stranger.pid, "start": 1, "boot": boot}
        (RECORDS / "etcd.json").write_text(json.dumps(record), encoding="utf-8")
        command(home, "down")
        assert stranger.poll() is None
        assert_as_before(bare)
    finally:
        stranger.kill()
        stranger.wait()
