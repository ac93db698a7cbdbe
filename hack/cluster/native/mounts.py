"""What is mounted below the cluster's folders."""

import re
from collections.abc import Sequence
from pathlib import Path

from hack.cluster.commands import attempt
from hack.cluster.errors import ClusterError

MOUNT_TABLE = Path("/proc/self/mountinfo")


def _plain(field: str) -> str:
    """A path of the mount table with its octal escapes (space, tab, newline, backslash) undone."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), field)


def mounts_below(table: str, folders: Sequence[Path]) -> list[Path]:
    """Mount points inside the folders, the last mounted first: the order in which they can be taken off."""
    points = [Path(_plain(line.split()[4])) for line in table.splitlines() if line.strip()]
    return [point for point in reversed(points) if any(point.is_relative_to(folder) for folder in folders)]


def current_mounts(folders: Sequence[Path]) -> list[Path]:
    """What is mounted inside the folders now."""
    return mounts_below(MOUNT_TABLE.read_text(encoding="utf-8"), folders)


def unmount_all(folders: Sequence[Path]) -> None:
    """Take off everything inside the folders; raises where something stays: deleting would go through it."""
    for point in current_mounts(folders):
        if attempt(["umount", str(point)]).returncode != 0:
            attempt(["umount", "--lazy", str(point)])
    left = current_mounts(folders)
    if left:
        names = ", ".join(map(str, left))
        raise ClusterError(
            f"nothing should be mounted here any more, and these are: {names}. Unmount them, then retry."
        )
