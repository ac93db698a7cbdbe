import os
from pathlib import Path

import pytest
import yaml

from hack.cluster.errors import ClusterError, CommandError
from hack.cluster.providers.kind import Kind
from hack.cluster.settings import CLUSTER_NAME, KIND_NODE_IMAGE, REPOSITORY, Settings, read_settings

PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
echo "KUBECONFIG=$KUBECONFIG" >> "$CALLS"
case "$(basename "$0") $*" in
  "docker ps"*) cat "$EXISTING";;
  "kind create"*) touch "$EXISTING.ready"; : > "$STATE/kubeconfig";;
  "kubectl version"*) echo '{"clientVersion": {"gitVersion": "v1.36.0"}}';;
  "helm version"*) echo v4.0.0;;
  "kind version"*) echo "kind v${KIND_VERSION:-0.32.0} go1.26.0 linux/amd64";;
  "kubectl"*"--raw=/version") [ -e "$EXISTING.ready" ] || exit 1; echo '{"gitVersion": "v1.36.1"}';;
  "kubectl"*"get nodes"*) echo "$NODES";;
esac
"""
NODES = """{"items": [{"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": "%s"}],
"nodeInfo": {"kubeletVersion": "v1.36.1", "containerRuntimeVersion": "containerd://2.3.1"}}}]}"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with a container engine, kind and clients: programs that write down how they are called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "kind", "kubectl", "helm"):
        (folder / name).write_text(PROGRAM, encoding="utf-8")
        (folder / name).chmod(0o755)
    (tmp_path / "existing").write_text("", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("EXISTING", str(tmp_path / "existing"))
    monkeypatch.setenv("STATE", str(tmp_path / "state"))
    monkeypatch.setenv("NODES", NODES % "True")
    monkeypatch.setenv("KUBECONFIG", "/home/user/.kube/config")
    return tmp_path


def settings(folder: Path) -> Settings:
    return read_settings(
        {"AGENT_ROLLOUTS_STATE": str(folder / "state"), "AGENT_ROLLOUTS_CACHE": str(folder / "cache")}
    )


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text(encoding="utf-8").splitlines()


def run(provider: Kind, folder: Path) -> list[str]:
    for step in provider.up_steps():
        step.action(folder / "log")
    return [
        line for line in calls(folder) if line.startswith("kind ") and not line.startswith("kind version")
    ]


def test_a_new_cluster_has_our_name_our_image_and_our_kubeconfig(programs: Path) -> None:
    (made,) = run(Kind(settings(programs), engine="docker"), programs)
    assert made == (
        f"kind create cluster --name {CLUSTER_NAME} --config {REPOSITORY / 'kind-config.yaml'} "
        f"--image {KIND_NODE_IMAGE} --kubeconfig {programs / 'state/kubeconfig'} --wait 120s"
    )
    assert "KUBECONFIG=/home/user/.kube/config" not in calls(programs)


def begin(folder: Path, *, here: bool = True) -> None:
    """A node container is there, begun by this checkout or by another."""
    (folder / "existing").write_text("0a1b2c\n", encoding="utf-8")
    (folder / "state").mkdir()
    if here:
        (folder / "state/kind").write_text("docker\n", encoding="utf-8")


def test_the_cluster_of_another_checkout_is_refused(programs: Path) -> None:
    begin(programs, here=False)
    with pytest.raises(ClusterError, match="another checkout"):
        Kind(settings(programs), engine="docker").up_steps()


def test_a_cluster_that_is_not_ready_in_time_is_an_error(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODES", NODES % "False")
    with pytest.raises(ClusterError, match="ready after 120s and is not: n NotReady"):
        run(Kind(settings(programs), engine="docker"), programs)


def test_a_cluster_is_taken_down_also_where_kind_has_to_be_built_for_it(programs: Path) -> None:
    begin(programs)
    (programs / "bin/kind").write_text("#!/bin/sh\necho v0.31.0\n", encoding="utf-8")
    titles = [step.title for step in Kind(settings(programs), engine="docker").down_steps()]
    assert titles == ["build kind from source", "delete the kind cluster"]


def test_the_engine_that_made_the_cluster_is_used_whatever_was_started_meanwhile(programs: Path) -> None:
    begin(programs)
    assert Kind(settings(programs), engine="podman").ctr()[0] == "docker"


def test_a_half_made_cluster_is_removed_first(programs: Path) -> None:
    begin(programs)
    deleted, made = run(Kind(settings(programs), engine="docker"), programs)
    assert deleted.startswith(f"kind delete cluster --name {CLUSTER_NAME} --kubeconfig {programs / 'state'}")
    assert made.startswith("kind create cluster")


def test_where_there_is_no_cluster_there_is_nothing_to_delete(programs: Path) -> None:
    assert Kind(settings(programs), engine="docker").down_steps() == []


def test_images_go_into_our_cluster_only(programs: Path) -> None:
    Kind(settings(programs), engine="docker").load(Path("/a.tar"), programs / "log")
    assert f"kind load image-archive /a.tar --name {CLUSTER_NAME}" in calls(programs)


def test_a_kind_that_is_too_old_is_built_anew(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def first(version: str) -> str:
        monkeypatch.setenv("KIND_VERSION", version)
        return Kind(settings(programs), engine="docker").up_steps()[0].title

    assert first("0.31.0") == "build kind from source"
    assert first("0.32.0") == "create the kind cluster"


def test_a_failing_kind_is_an_error(programs: Path) -> None:
    script = "#!/bin/sh\n[ $1 = version ] && echo v0.32.0\n[ $1 != create ] || exit 7\n"
    (programs / "bin/kind").write_text(script, encoding="utf-8")
    with pytest.raises(CommandError) as raised:
        run(Kind(settings(programs), engine="docker"), programs)
    assert raised.value.code == 7


def test_podman_is_told_to_kind(programs: Path) -> None:
    script = (
        "#!/bin/sh\n[ $1 = version ] && echo v0.32.0 && exit\n"
        'echo "$KIND_EXPERIMENTAL_PROVIDER" >> "$CALLS"\n'
    )
    (programs / "bin/kind").write_text(script, encoding="utf-8")
    Kind(settings(programs), engine="podman").load(Path("/a.tar"), programs / "log")
    assert calls(programs) == ["podman"]


def test_both_providers_use_the_same_addresses_for_pods_and_services() -> None:
    from hack.cluster.native.layout import POD_RANGE, SERVICE_RANGE

    config = yaml.safe_load((REPOSITORY / "kind-config.yaml").read_text(encoding="utf-8"))
    assert config["networking"] == {"podSubnet": POD_RANGE, "serviceSubnet": SERVICE_RANGE}
