"""Programs built from pinned Go modules, kept outside the checkout under the hash of what made them.

One module per family, because their dependencies' versions exclude one another. A second run, and a second
clone, find the finished program in the cache; a changed pin gets a new folder, so an old program is never
mistaken for it.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.commands import attempt, run_logged
from hack.cluster.errors import ClusterError
from hack.cluster.progress import Step
from hack.cluster.settings import Settings, kubernetes_version

MINIMUM_GO = (1, 24)


@dataclass(frozen=True, slots=True)
class Program:
    """A program and the package it is built from, in the module of its family."""

    name: str
    family: str
    package: str


def _kubernetes(name: str) -> Program:
    return Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}")


def _containerd(name: str) -> Program:
    return Program(name, "containerd", f"github.com/containerd/containerd/v2/cmd/{name}")


PROGRAMS = {
    program.name: program
    for program in (
        _kubernetes("kube-apiserver"),
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        _kubernetes("kubelet"),
        _kubernetes("kube-proxy"),
        _kubernetes("kubeadm"),
        _kubernetes("kubectl"),
        _containerd("containerd"),
        _containerd("containerd-shim-runc-v2"),
        _containerd("ctr"),
        Program("coredns", "coredns", "."),
        Program("pause", "pause", "."),
        Program("helm", "helm", "helm.sh/helm/v4/cmd/helm"),
        Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
        Program("kind", "kind", "sigs.k8s.io/kind"),
        Program("registry", "registry", "github.com/distribution/distribution/v3/cmd/registry"),
    )
}
NATIVE = tuple(name for name in PROGRAMS if name not in {"kwok", "kind", "registry"})
API_ONLY = ("kube-apiserver", "etcd", "kube-controller-manager", "kubectl")


def link_flags(family: str, version: str) -> str:
    """Linker flags: no debug data, and for Kubernetes the version it reports of itself."""
    flags = "-s -w"
    if family == "kubernetes":
        major, minor = version.removeprefix("v").split(".")[:2]
        stamp = "k8s.io/component-base/version"
        flags += f" -X {stamp}.gitVersion={version} -X {stamp}.gitMajor={major} -X {stamp}.gitMinor={minor}"
    return flags


def build_command(program: Program, *, target: Path, version: str) -> list[str]:
    """The `go build` of one program."""
    flags = link_flags(program.family, version)
    return ["go", "build", "-trimpath", "-ldflags", flags, "-o", str(target), program.package]


def family_key(source: Path, *, flags: str, machine: str) -> str:
    """A hash of all that decides what a family's programs are: pins, sums, own source, flags, machine."""
    digest = hashlib.sha256()
    inputs = sorted(
        path for path in source.iterdir() if path.name in {"go.mod", "go.sum"} or path.suffix == ".go"
    )
    for path in inputs:
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
    digest.update(f"{flags}\0{machine}".encode())
    return digest.hexdigest()[:16]


def program_path(settings: Settings, name: str) -> Path:
    """Where a built program is, or will be."""
    program = PROGRAMS[name]
    flags = link_flags(program.family, kubernetes_version(settings))
    machine = os.uname().machine
    key = family_key(settings.tools_source / program.family, flags=flags, machine=machine)
    return settings.cache / "tools" / f"{program.family}-{key}" / name


def missing(settings: Settings, names: Sequence[str]) -> list[str]:
    """The programs that still have to be built, in the order in which they share the most work."""
    return [name for name in PROGRAMS if name in names and not program_path(settings, name).exists()]


def build_steps(settings: Settings, names: Sequence[str]) -> list[Step]:
    """One step per program that is not in the cache."""

    def step(name: str) -> Step:
        def action(log: Path) -> None:
            build(settings, name, log=log)

        return Step(f"build {name} from source", action)

    return [step(name) for name in missing(settings, names)]


def build(settings: Settings, name: str, *, log: Path) -> Path:
    """Build one program into the cache; safe beside another process that builds the same."""
    target = program_path(settings, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target.with_suffix(".lock")):
        if target.exists():
            return target
        require_go()
        program = PROGRAMS[name]
        unfinished = target.with_suffix(".unfinished")
        environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
        command = build_command(program, target=unfinished, version=kubernetes_version(settings))
        run_logged(
            command, log=log, environment=environment, directory=settings.tools_source / program.family
        )
        unfinished.rename(target)
    return target


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def go_version(text: str) -> tuple[int, int] | None:
    """`(1, 26)` from `go version go1.26.8 linux/amd64`."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def require_go() -> None:
    """Programs are built here, so Go has to be; raises with what to install.

    With a container engine only clients are built, and only those that are missing or too old.
    """
    wanted = ".".join(map(str, MINIMUM_GO))
    if shutil.which("go") is None:
        raise ClusterError(
            f"Go {wanted} or newer builds the cluster's programs, and no `go` is on PATH: install Go"
            " (with docker or podman, a recent kind, kubectl and helm on PATH do as well)."
        )
    seen = go_version(attempt(["go", "version"]).stdout)
    if seen is None or seen < MINIMUM_GO:
        found = "an unknown version" if seen is None else f"{seen[0]}.{seen[1]}"
        raise ClusterError(
            f"Go {wanted} or newer builds the cluster's programs, and `go` is {found}: update Go."
        )
