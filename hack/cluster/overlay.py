"""Whether overlay mounts work in a folder: found out by making one.

Where they do, images and containers share their layers; where they do not (a folder that is itself inside an
overlay, as in a container), every layer is a full copy, which works everywhere and takes many times the room.
"""

import tempfile
from pathlib import Path

from hack.cluster.commands import attempt


def overlay_works(folder: Path) -> bool:
    """Mount an overlay below `folder`, look, and take it off again."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix="overlay-trial-") as name:
        parts = {part: Path(name) / part for part in ("lower", "upper", "work", "merged")}
        for path in parts.values():
            path.mkdir()
        options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
        merged = str(parts["merged"])
        if attempt(["mount", "-t", "overlay", "overlay", "-o", options, merged]).returncode != 0:
            return False
        return attempt(["umount", merged]).returncode == 0
