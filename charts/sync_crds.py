# ruff: noqa: INP001  charts/ is a folder of charts with one script, no package
"""Copies the generated CRDs into the chart: ``python charts/sync_crds.py [--check]``.

Helm packages only what lies inside the chart's folder, and ``crds/`` at the top stays the source.
"""

import shutil
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "crds"
TARGET = Path(__file__).resolve().parent / "agent-rollouts" / "files" / "crds"


def differing(source: Path = SOURCE, target: Path = TARGET) -> list[str]:
    """Names of the files that are missing, differ or shouldn't be there."""
    names = {path.name for folder in (source, target) for path in folder.glob("*.yaml")}
    return sorted(name for name in names if _content(source / name) != _content(target / name))


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def copy(source: Path = SOURCE, target: Path = TARGET) -> None:
    """Make the target's files exactly the source's."""
    target.mkdir(parents=True, exist_ok=True)
    for path in target.glob("*.yaml"):
        path.unlink()
    for path in sorted(source.glob("*.yaml")):
        shutil.copyfile(path, target / path.name)


def main(arguments: list[str]) -> int:
    """The command; exit status 1 when ``--check`` finds a difference."""
    if arguments != ["--check"]:
        copy()
        return 0
    if names := differing():
        sys.stderr.write(f"{', '.join(names)} in {TARGET} differ from {SOURCE}; run `make chart`\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
