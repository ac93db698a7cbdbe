"""Starting and stopping the test API server."""

import contextlib
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from hack.apiserver import configuration
from hack.apiserver.configuration import HOST, Ports
from hack.cluster import tools
from hack.cluster.commands import run_logged, tail_of
from hack.cluster.errors import ClusterError
from hack.cluster.polling import wait_for
from hack.cluster.settings import Settings, kubernetes_version, read_settings

START_SECONDS = 60.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ApiServer:
    """A running API server; `token` is that of `admin` in system:masters, who may impersonate anyone."""

    url: str
    token: str
    kubeconfig: Path
    authority: Path
    kubectl: Path


@contextlib.contextmanager
def running_apiserver(*, with_controller_manager: bool = False) -> Iterator[ApiServer]:
    """Start etcd and kube-apiserver on free ports, in a folder of their own; remove all of it at the end.

    `with_controller_manager` adds the controllers that need no node: namespaces end, owned objects are
    collected, Deployments make ReplicaSets and (never running) pods.
    """
    settings = read_settings(os.environ)
    with tempfile.TemporaryDirectory(prefix="agent-rollouts-api-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server, ports = _prepare(settings, folder)
        _spawn(stack, settings, folder, "etcd", configuration.etcd_arguments(folder, ports))
        arguments = configuration.apiserver_arguments(folder, ports, service_accounts=with_controller_manager)
        child = _spawn(stack, settings, folder, "kube-apiserver", arguments)
        _wait_ready(server, child, log=folder / "kube-apiserver.log")
        if with_controller_manager:
            arguments = configuration.controller_arguments(folder, ports)
            _spawn(stack, settings, folder, "kube-controller-manager", arguments)
        yield server


def _prepare(settings: Settings, folder: Path) -> tuple[ApiServer, Ports]:
    """Certificates, token, kubeconfig, ports."""
    pki = folder / "pki"
    config = folder / "kubeadm.yaml"
    config.write_text(
        configuration.kubeadm_config(pki, version=kubernetes_version(settings)), encoding="utf-8"
    )
    kubeadm = _program(settings, "kubeadm")
    log = folder / "certificates.log"
    for phase in ("ca", "apiserver", "sa"):
        arguments = [f"--cert-dir={pki}"] if phase == "sa" else [f"--config={config}"]
        run_logged([str(kubeadm), "init", "phase", "certs", phase, *arguments], log=log)
    token = secrets.token_hex(16)
    line = configuration.token_line(token, user="admin", groups=["system:masters"])
    (folder / "tokens.csv").write_text(line, encoding="utf-8")
    ports = Ports(*_free_ports(4))
    url = f"https://{HOST}:{ports.api}"
    kubeconfig = folder / "kubeconfig"
    text = yaml.safe_dump(dict(configuration.kubeconfig(url, authority=pki / "ca.crt", token=token)))
    kubeconfig.write_text(text, encoding="utf-8")
    kubeconfig.chmod(0o600)
    return ApiServer(url, token, kubeconfig, pki / "ca.crt", _program(settings, "kubectl")), ports


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on now; all are held until the last is found, so that they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _program(settings: Settings, name: str) -> Path:
    """From KUBEBUILDER_ASSETS where it has the program, else from the cache, built on first use."""
    given = os.environ.get("KUBEBUILDER_ASSETS")
    if given and (Path(given) / name).exists():
        return Path(given) / name
    built = tools.program_path(settings, name)
    return built if built.exists() else tools.build(settings, name, log=settings.logs / f"build-{name}.log")


def _spawn(
    stack: contextlib.ExitStack, settings: Settings, folder: Path, name: str, arguments: Sequence[str]
) -> subprocess.Popen[bytes]:
    """Start a program that ends with the context, and with this process should that be killed."""
    guard = shutil.which("setpriv")
    prefix = [guard, "--pdeathsig", "KILL"] if guard else []
    log = stack.enter_context((folder / f"{name}.log").open("ab"))
    child = subprocess.Popen(
        [*prefix, str(_program(settings, name)), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")},
    )
    stack.callback(_stop, child)
    return child


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _wait_ready(server: ApiServer, child: subprocess.Popen[bytes], *, log: Path) -> None:
    trusted = ssl.create_default_context(cafile=str(server.authority))
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trusted))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(
        f"{server.url}/readyz", headers={"Authorization": f"Bearer {server.token}"}
    )

    def ready() -> bool:
        if child.poll() is not None:
            raise ClusterError(
                f"kube-apiserver should run and ended with code {child.returncode}:\n{tail_of(log)}"
            )
        try:
            with opener.open(request, timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    wait_for("kube-apiserver ready", ready, seconds=START_SECONDS, hint=lambda: tail_of(log))
