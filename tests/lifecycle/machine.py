"""What of a machine a cluster can leave traces in, looked at without the code under test."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """A comparable picture of the machine."""

    processes: frozenset[str]
    mounts: frozenset[str]
    links: frozenset[str]
    namespaces: frozenset[str]
    nft_tables: frozenset[str]
    nat_rules: frozenset[str]
    control_groups: frozenset[str]
    folders: frozenset[str]
    forwarding: str


def output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def look() -> Machine:
    tables = frozenset(output("nft", "list", "tables").splitlines())
    return Machine(
        processes=frozenset(cluster_processes()),
        mounts=frozenset(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        links=frozenset(line.split()[0] for line in output("ip", "-brief", "link").splitlines()),
        namespaces=frozenset(output("ip", "netns").split()),
        nft_tables=tables,
        nat_rules=frozenset(nat_rules()) if "table ip nat" in tables else frozenset(),
        control_groups=frozenset(str(path) for path in Path("/sys/fs/cgroup").glob("**/*agent-rollouts*")),
        folders=frozenset(
            str(path)
            for path in map(
                Path,
                (
                    "/run/agent-rollouts",
                    "/var/lib/agent-rollouts",
                    "/var/lib/kubelet",
                    "/var/lib/cni",
                    "/run/containerd",
                    "/var/log/containers",
                ),
            )
            if path.exists()
        ),
        forwarding=Path("/proc/sys/net/ipv4/ip_forward").read_text(),
    )


def nat_rules() -> list[str]:
    saved = output("iptables-save", "-t", "nat").splitlines()
    return [line.split(" [")[0] for line in saved if not line.startswith("#")]


def cluster_processes() -> list[str]:
    """Processes of a cluster by what they run, or by the control group they run in."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                groups = (folder / "cgroup").read_text()
                state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            mine = "/run/agent-rollouts" in command or "/var/lib/agent-rollouts" in command
            programs = any(
                f"/{name} " in f"{command} " for name in ("kubelet", "kube-proxy", "coredns", "containerd")
            )
            if state != "Z" and (mine or programs or "/agent-rollouts/" in groups):
                found.append(f"{folder.name} {command}")
    return found
