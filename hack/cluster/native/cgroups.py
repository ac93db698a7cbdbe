"""The control groups below which all pods run, so that they can be counted and ended exactly."""

import os
from pathlib import Path

from hack.cluster.native.layout import CGROUP
from hack.cluster.native.processes import Record, identity

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = frozenset({"cpu", "cpuset", "hugetlb", "memory", "pids"})
"""What the kubelet wants in its root group, as far as the kernel has it."""


def cgroup_version(root: Path = ROOT) -> int:
    """2 where the unified hierarchy is mounted at the top, else 1 (also the hybrid of both)."""
    return 2 if (root / "cgroup.controllers").exists() else 1


def own_groups(root: Path = ROOT) -> list[Path]:
    """Our group in every hierarchy, whether it exists or not."""
    if cgroup_version(root) == 2:
        return [root / CGROUP]
    return sorted(entry / CGROUP for entry in root.iterdir() if entry.is_dir() and not entry.is_symlink())


def create(root: Path = ROOT) -> None:
    """Make our group in every hierarchy: the kubelet wants its root to exist, with every controller it uses.

    In the unified hierarchy a controller reaches a group only where the group above hands it down, and
    distributions hand down fewer than the kubelet asks for (cpuset, usually).
    """
    if cgroup_version(root) == 2:
        available = (root / "cgroup.controllers").read_text(encoding="utf-8").split()
        for controller in sorted(CONTROLLERS.intersection(available)):
            (root / "cgroup.subtree_control").write_text(f"+{controller}", encoding="utf-8")
    for group in own_groups(root):
        group.mkdir(exist_ok=True)


def members(root: Path = ROOT) -> list[Record]:
    """Every process that runs in one of our groups."""
    numbers: set[int] = set()
    for group in own_groups(root):
        for listing in group.rglob("cgroup.procs"):
            numbers.update(int(line) for line in listing.read_text(encoding="utf-8").split())
    found = [identity(number, name=f"container process {number}") for number in sorted(numbers)]
    return [record for record in found if record is not None]


def remove(root: Path = ROOT) -> None:
    """Remove our groups, the innermost first; they have to be empty of processes by then."""
    for group in own_groups(root):
        if group.exists():
            folders = [Path(path) for path, _, _ in os.walk(group, topdown=False)]
            for folder in folders:
                folder.rmdir()
