"""System packages: said before they are installed, and left alone where they are present."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.commands import run_logged
from hack.cluster.errors import ClusterError

SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(frozen=True, slots=True)
class Package:
    """A Debian package, why it is needed, and the files of which any one shows that it is there.

    A `provides` without a slash is looked for on PATH and in the system's own folders.
    """

    name: str
    why: str
    provides: tuple[str, ...]


CNI_FOLDERS = (Path("/opt/cni/bin"), Path("/usr/lib/cni"), Path("/usr/libexec/cni"))
RUNTIME = (
    Package("runc", "starts the containers", ("runc",)),
    Package("containernetworking-plugins", "connects pods", tuple(f"{folder}/ptp" for folder in CNI_FOLDERS)),
    Package("nftables", "kube-proxy's service addresses", ("nft",)),
    Package("iptables", "host ports of pods (CNI portmap)", ("iptables",)),
    Package("iproute2", "makes the node's network link", ("ip",)),
    Package("conntrack", "lets kube-proxy forget connections of ended pods", ("conntrack",)),
    Package("mount", "volumes of pods", ("mount",)),
)
BUILDER = (
    Package("buildah", "builds images without a container engine", ("buildah",)),
    Package("debootstrap", "makes the Python base image, which cannot be pulled here", ("debootstrap",)),
)


def search_path(path: str) -> str:
    """PATH with the system's own folders added: a minimal shell often has no sbin."""
    have = [folder for folder in path.split(":") if folder]
    return ":".join([*have, *(folder for folder in SYSTEM_FOLDERS if folder not in have)])


def find_program(name: str) -> str | None:
    """Where a program is, also when the caller's PATH lacks the system folders."""
    return shutil.which(name, path=search_path(os.environ.get("PATH", "")))


def is_present(package: Package) -> bool:
    """Whether something provides what the package is wanted for, however it was installed."""
    return any(Path(item).exists() if "/" in item else find_program(item) for item in package.provides)


def absent(packages: Sequence[Package]) -> list[Package]:
    """The packages that have to be installed."""
    return [package for package in packages if not is_present(package)]


def announcement(packages: Sequence[Package]) -> str:
    """What a person is told before anything is installed."""
    width = max(len(package.name) for package in packages)
    lines = "\n".join(f"  {package.name:<{width}}  {package.why}" for package in packages)
    return f"These system packages are missing and will be installed with apt-get now:\n{lines}"


def install(packages: Sequence[Package], *, log: Path) -> None:
    """Install with apt-get; raises with the names where this machine has no apt-get."""
    names = [package.name for package in packages]
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"The programs of these packages are missing: {', '.join(names)}. There is no apt-get here: "
            "install them with this machine's own package manager, then run this again."
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_logged(["apt-get", "update"], log=log, environment=environment)
    command = ["apt-get", "install", "-y", "--no-install-recommends", *names]
    run_logged(command, log=log, environment=environment)
    still = [package.name for package in absent(packages)]
    if still:
        raise ClusterError(
            f"apt-get succeeded, and these are still not usable: {', '.join(still)}; see {log}"
        )
