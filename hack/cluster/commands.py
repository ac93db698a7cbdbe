"""Running other programs, with everything they say kept in a log file."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hack.cluster.errors import ClusterError, CommandError

TAIL_LINES = 20
NOT_FOUND = 127
OVERRUN = 124


def tail_of(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, or nothing where there is no log."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def run_logged(
    argv: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    stdin: str | None = None,
) -> None:
    """Run to the end with output appended to `log`; raises CommandError with the log's last lines."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as sink:
        sink.write(f"$ {' '.join(argv)}\n")
        sink.flush()
        try:
            done = subprocess.run(
                argv,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=directory,
                input=stdin,
                stdin=None if stdin is not None else subprocess.DEVNULL,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise ClusterError(f"{argv[0]} should be installed and was not found: {error}") from error
    if done.returncode != 0:
        raise CommandError(argv, done.returncode, f"see {log}")


def output_of(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    stdin: str | None = None,
    timeout: float = 120,
) -> str:
    """Standard output of a command that must succeed; `timeout` in seconds."""
    done = attempt(argv, environment=environment, directory=directory, stdin=stdin, timeout=timeout)
    if done.returncode != 0:
        raise CommandError(argv, done.returncode, (done.stderr or done.stdout).strip())
    return done.stdout


def attempt(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    stdin: str | None = None,
    timeout: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run and give back whatever happened: a missing program is code 127, an overrun 124, as in a shell."""
    try:
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            env=environment,
            cwd=directory,
            input=stdin or "",
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(list(argv), NOT_FOUND, "", str(error))
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(list(argv), OVERRUN, "", f"no end after {timeout:g} s")
