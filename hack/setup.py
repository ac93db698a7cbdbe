"""Makes the project's virtual environment from its lock, with uv: that on PATH, else one in the cache.

Runs before there is any environment, so it uses the standard library only and the oldest Python a machine may
have.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

UV_VERSION = "0.13.8"
OLDEST_UV = (0, 9)
REPOSITORY = Path(__file__).resolve().parents[1]


def uv_is_recent(answer: str) -> bool:
    """Whether `uv --version` tells of one that reads the lock as it is written."""
    found = re.search(r"(\d+)\.(\d+)", answer)
    return found is not None and (int(found.group(1)), int(found.group(2))) >= OLDEST_UV


def uv_on_path() -> str | None:
    """The installed uv, if it is recent enough."""
    found = shutil.which("uv")
    if found is None:
        return None
    answer = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    return found if uv_is_recent(answer.stdout) else None


def private_uv(cache: Path) -> str:
    """A uv at its pinned version in an environment of its own, made on first use."""
    folder = cache / (f"uv-{UV_VERSION}")
    program = folder / "bin" / "uv"
    if not program.exists():
        print(f"setup: no recent uv on PATH; installing uv {UV_VERSION} into {folder}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", f"uv=={UV_VERSION}"]
        subprocess.run(pip, check=True)
    return str(program)


def main() -> int:
    """Sync the environment; the exit code is uv's."""
    cache = Path(os.environ.get("AGENT_ROLLOUTS_CACHE") or Path.home() / ".cache" / "agent-rollouts")
    try:
        uv = uv_on_path() or private_uv(cache)
    except (subprocess.CalledProcessError, SystemExit, OSError) as error:
        print(f"setup: uv could not be installed ({error}).", file=sys.stderr)
        print("Install uv (or, on Debian, the package python3-venv), then run this again.", file=sys.stderr)
        return 1
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    return subprocess.run([uv, "sync", "--locked"], cwd=REPOSITORY, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
