"""Making the native cluster, as a list of steps: machine, certificates, control plane, node, names."""

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hack.cluster import packages, tools
from hack.cluster.commands import attempt, run_logged, tail_of
from hack.cluster.errors import ClusterError
from hack.cluster.images.scratch import write_scratch_image
from hack.cluster.native import cgroups, configuration, manifests, network, processes, teardown
from hack.cluster.native.commandlines import COMMAND_LINES
from hack.cluster.native.layout import (
    DNS_READY_PORT,
    MARK,
    NODE_ADDRESS,
    NODE_NAME,
    PAUSE_IMAGE,
    Layout,
    layout_of,
)
from hack.cluster.overlay import overlay_works
from hack.cluster.polling import wait_for
from hack.cluster.progress import Step
from hack.cluster.settings import Settings, child_environment, kubernetes_version

START_SECONDS = 90.0
USERS = {"kube-proxy": "system:kube-proxy", "coredns": "system:coredns"}
CAP_SYS_RESOURCE = 24


def up_steps(settings: Settings) -> list[Step]:
    """Everything from a bare machine to a ready node."""
    layout = layout_of(settings)
    wanted = packages.absent(packages.RUNTIME)
    install = (
        [Step("install system packages", lambda log: packages.install(wanted, log=log))] if wanted else []
    )
    return [
        *install,
        *tools.build_steps(settings, tools.NATIVE),
        Step("clear what an earlier run left", lambda log: teardown.tear_down(layout, log=log)),
        Step("make the node's network", lambda log: _prepare_machine(settings, layout, log=log)),
        Step(
            "make certificates and configuration", lambda log: _write_configuration(settings, layout, log=log)
        ),
        Step("start etcd, containerd and the API server", lambda log: _start_base(settings, layout, log=log)),
        Step("start controllers and the node", lambda log: _start_rest(settings, layout, log=log)),
        Step("wait for the node and for names", lambda log: _wait_ready(settings, layout, log=log)),
    ]


def _prepare_machine(settings: Settings, layout: Layout, *, log: Path) -> None:
    for folder in (layout.run, layout.data, layout.work, layout.config, layout.pki):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711 if folder == layout.data else 0o700)
    layout.owner.write_text(f"{settings.repository}\n", encoding="utf-8")
    network.remember(layout.before)
    shutil.rmtree(layout.logs, ignore_errors=True)
    network.create(log=log)
    cgroups.create()


def resolver_file() -> Path:
    """The resolver settings of pods that use the machine's DNS: never a stub on the loopback address."""
    behind_stub = Path("/run/systemd/resolve/resolv.conf")
    plain = Path("/etc/resolv.conf")
    stub = plain.exists() and "127.0.0.53" in plain.read_text(encoding="utf-8")
    return behind_stub if stub and behind_stub.exists() else plain


def has_capability(status: str, number: int) -> bool:
    """Whether /proc/PID/status shows a capability as effective."""
    line = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(line.split()[1], 16) >> number & 1)


def _write_configuration(settings: Settings, layout: Layout, *, log: Path) -> None:
    version = kubernetes_version(settings)
    may_lower_oom = has_capability(Path("/proc/self/status").read_text(encoding="utf-8"), CAP_SYS_RESOURCE)
    files = {
        "kubeadm.yaml": configuration.kubeadm_config(layout, version=version),
        "containerd.toml": configuration.containerd_config(
            layout,
            cni_folders=[folder for folder in packages.CNI_FOLDERS if folder.is_dir()],
            restrict_oom=not may_lower_oom,
            snapshotter="overlayfs" if overlay_works(layout.data) else "native",
        ),
        "kubelet.yaml": configuration.kubelet_config(
            layout, cgroup_version=cgroups.cgroup_version(), resolv_conf=resolver_file()
        ),
        "kube-proxy.yaml": configuration.kube_proxy_config(layout),
        "Corefile": configuration.corefile(layout),
        "cni/10-agent-rollouts.conflist": configuration.cni_config(layout),
    }
    for name, text in files.items():
        path = layout.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    _write_certificates(settings, layout, log=log)


def _write_certificates(settings: Settings, layout: Layout, *, log: Path) -> None:
    kubeadm = str(tools.program_path(settings, "kubeadm"))
    config = f"--config={layout.config}/kubeadm.yaml"
    run_logged([kubeadm, "init", "phase", "certs", "all", config], log=log)
    folder = f"--kubeconfig-dir={layout.config}"
    run_logged([kubeadm, "init", "phase", "kubeconfig", "all", config, folder], log=log)
    for name, user in USERS.items():
        made = attempt([kubeadm, "kubeconfig", "user", config, f"--client-name={user}"])
        if made.returncode != 0:
            raise ClusterError(f"kubeadm should have made a kubeconfig for {user}: {made.stderr}")
        target = layout.config / f"{name}.conf"
        target.write_text(made.stdout, encoding="utf-8")
        target.chmod(0o600)


def component_environment(settings: Settings, environment: Mapping[str, str], *, name: str) -> dict[str, str]:
    """The environment of one process: marked, without proxies (all it talks to is here), our programs first.

    An older containerd-shim-runc-v2 on the machine's PATH would be taken otherwise, and refuse our
    containerd.
    """
    kept = {key: value for key, value in environment.items() if not key.lower().endswith("_proxy")}
    kept.pop("KUBECONFIG", None)
    own = tools.program_path(settings, "containerd-shim-runc-v2").parent
    return {**kept, "PATH": f"{own}:{packages.search_path(environment.get('PATH', ''))}", MARK: name}


def start_component(settings: Settings, layout: Layout, name: str, arguments: Sequence[str]) -> None:
    """Start one program with its record, log and mark."""
    program = tools.program_path(settings, name)
    processes.start(
        name,
        [str(program), *arguments],
        pids=layout.pids,
        log=layout.logs / f"{name}.log",
        environment=component_environment(settings, os.environ, name=name),
    )


def _start(settings: Settings, layout: Layout, *names: str) -> None:
    for name in names:
        start_component(settings, layout, name, COMMAND_LINES[name](layout))


def _start_base(settings: Settings, layout: Layout, *, log: Path) -> None:
    _start(settings, layout, "etcd", "containerd", "kube-apiserver")
    ctr = [
        str(tools.program_path(settings, "ctr")),
        f"--address={layout.containerd_socket}",
        "--namespace=k8s.io",
    ]
    _wait("containerd", layout, lambda: attempt([*ctr, "version"]).returncode == 0)
    archive = layout.data / "pause.tar"
    pause = tools.program_path(settings, "pause")
    write_scratch_image(pause, image=PAUSE_IMAGE, machine=os.uname().machine, target=archive)
    run_logged([*ctr, "images", "import", str(archive)], log=log)
    kubectl, environment = admin_kubectl(settings, layout), child_environment(settings)
    ready = [*kubectl, "get", "--raw=/readyz"]
    _wait("kube-apiserver", layout, lambda: attempt(ready, environment=environment).returncode == 0)
    text = manifests.as_yaml(manifests.bootstrap_manifests())
    run_logged([*kubectl, "apply", "-f", "-"], log=log, environment=environment, stdin=text)


def admin_kubectl(settings: Settings, layout: Layout) -> list[str]:
    """A kubectl with the rights that hold before any binding exists."""
    return [str(tools.program_path(settings, "kubectl")), f"--kubeconfig={layout.config}/super-admin.conf"]


def _start_rest(settings: Settings, layout: Layout, *, log: Path) -> None:
    _start(settings, layout, "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "coredns")
    settings.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(layout.config / "admin.conf", settings.kubeconfig)
    settings.kubeconfig.chmod(0o600)
    log.write_text(f"kubeconfig: {settings.kubeconfig}\n", encoding="utf-8")


def _wait_ready(settings: Settings, layout: Layout, *, log: Path) -> None:
    kubectl = [str(tools.program_path(settings, "kubectl")), f"--kubeconfig={settings.kubeconfig}"]
    environment = child_environment(settings)
    ready = [*kubectl, "wait", "--for=condition=Ready", f"node/{NODE_NAME}", "--timeout=2s"]
    _wait("kubelet", layout, lambda: attempt(ready, environment=environment).returncode == 0)
    account = [*kubectl, "--namespace=default", "get", "serviceaccount", "default"]
    _wait(
        "kube-controller-manager", layout, lambda: attempt(account, environment=environment).returncode == 0
    )
    _wait("coredns", layout, lambda: _answers(f"http://{NODE_ADDRESS}:{DNS_READY_PORT}/ready"))
    _wait("kube-proxy", layout, lambda: _answers(f"http://{NODE_ADDRESS}:10256/healthz"))
    run_logged([*kubectl, "get", "nodes", "-o", "wide"], log=log, environment=environment)


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _wait(name: str, layout: Layout, probe: Callable[[], bool]) -> None:
    """Wait until a program does its work; one that has ended is reported at once, with its last words."""
    log = layout.logs / f"{name}.log"

    def check() -> bool:
        if name not in processes.running(layout.pids):
            raise ClusterError(
                f"{name} should be running and has ended. Its last words ({log}):\n{tail_of(log)}"
            )
        return probe()

    wait_for(
        f"{name} at work", check, seconds=START_SECONDS, hint=lambda: f"The end of {log}:\n{tail_of(log)}"
    )
