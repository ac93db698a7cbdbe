"""Puts `prometheus` and `promtool` where the tests find them: from PATH, else unpacked from Debian's package.

Unpacked, not installed: the package would start a server on this machine. Run as ``python -m hack.prometheus``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = ("prometheus", "promtool")
LINKS = Path(__file__).resolve().parents[1] / ".state" / "bin"


class PrometheusMissingError(RuntimeError):
    """There is none, and none could be had."""


def cache() -> Path:
    """Where the unpacked programs are kept, outside the checkout."""
    base = Path(os.environ.get("AGENT_ROLLOUTS_CACHE") or Path.home() / ".cache" / "agent-rollouts")
    return base / "prometheus"


def on_path() -> bool:
    """Whether the machine has both programs; our own links don't count."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder != str(LINKS)]
    return all(shutil.which(name, path=os.pathsep.join(folders)) for name in PROGRAMS)


def unpack(into: Path) -> None:
    """Fetch Debian's package and take the two programs out of it. Raises PrometheusMissingError."""
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise PrometheusMissingError(
            "no prometheus and promtool on PATH, and no apt-get to fetch them with: install Prometheus 2.40 or newer"
        )
    print(
        "setup: no prometheus on PATH; unpacking Debian's package into the cache (nothing is installed)",
        flush=True,
    )
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        _download(folder)
        package = next(folder.glob("prometheus_*.deb"))
        _run(["dpkg-deb", "-x", str(package), str(folder / "tree")], folder)
        programs = folder / "programs"
        programs.mkdir()
        for name in PROGRAMS:
            shutil.move(folder / "tree" / "usr" / "bin" / name, programs / name)
        programs.rename(into)


def _download(folder: Path) -> None:
    fetch = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "prometheus"]
    try:
        _run(fetch, folder)
    except PrometheusMissingError:
        if os.geteuid() != 0:
            raise
        _run(["apt-get", "update"], folder)
        _run(fetch, folder)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise PrometheusMissingError(
            f"{' '.join(command[:2])} failed: {' '.join(words)}; install Prometheus 2.40 or newer"
        )


def ensure() -> None:
    """Both programs on PATH or linked in .state/bin."""
    if on_path():
        return
    kept = cache()
    if not all((kept / name).exists() for name in PROGRAMS):
        shutil.rmtree(kept, ignore_errors=True)
        unpack(kept)
    LINKS.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        (LINKS / name).unlink(missing_ok=True)
        (LINKS / name).symlink_to(kept / name)


def main() -> int:
    """0 when the tests will find both."""
    try:
        ensure()
    except PrometheusMissingError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
