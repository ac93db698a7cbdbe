"""Starting, recognising and ending the cluster's processes, by identity and never by name.

A pid alone proves nothing: the kernel gives it to another process after the first one's end. A record
therefore also holds the start time and the boot, and every process carries a mark in its environment, by
which also those are found whose record was never written (containerd's shims, a start that was cut off).
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hack.cluster.errors import ClusterError

PROC = Path("/proc")
GRACE_SECONDS = 10.0
_ENDED = frozenset("ZX")


@dataclass(frozen=True, slots=True)
class Record:
    """One process: `start` is in clock ticks since the boot with id `boot`."""

    name: str
    pid: int
    start: int
    boot: str


def stat_of(text: str) -> tuple[str, int]:
    """State letter and start time out of /proc/PID/stat, whose command name may hold spaces and brackets."""
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], int(fields[19])


def identity(pid: int, *, name: str) -> Record | None:
    """Who this pid is now, or nothing where no such process runs (a zombie counts as ended)."""
    try:
        state, start = stat_of((PROC / str(pid) / "stat").read_text(encoding="utf-8"))
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state in _ENDED else Record(name, pid, start, boot)


def alive(record: Record) -> bool:
    """Whether exactly this process still runs, and not another one under its number."""
    return identity(record.pid, name=record.name) == record


def start(name: str, argv: Sequence[str], *, pids: Path, log: Path, environment: Mapping[str, str]) -> Record:
    """Start a process in a session of its own, its output appended to `log`, and write its record."""
    pids.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=dict(environment),
        )
    record = identity(child.pid, name=name)
    if record is None:
        raise ClusterError(f"{name} ended as soon as it was started; see {log}")
    (pids / f"{name}.json").write_text(json.dumps(asdict(record)), encoding="utf-8")
    return record


def recorded(pids: Path) -> dict[str, Record]:
    """All records by name; one that was cut off while being written says nothing and is passed over."""
    found: dict[str, Record] = {}
    for path in sorted(pids.glob("*.json")):
        try:
            record = Record(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            continue
        found[record.name] = record
    return found


def running(pids: Path) -> dict[str, Record]:
    """The recorded processes that still run."""
    return {name: record for name, record in recorded(pids).items() if alive(record)}


def marked(mark: str) -> list[Record]:
    """Every process whose environment holds the variable `mark`, whoever its parent is by now."""
    needle = f"{mark}=".encode()
    found = []
    for pid in _all_pids():
        try:
            variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if any(variable.startswith(needle) for variable in variables):
            record = identity(pid, name=str(pid))
            if record is not None:
                found.append(record)
    return found


def _all_pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def stop(records: Sequence[Record], *, grace: float = GRACE_SECONDS) -> None:
    """Ask all to end, wait up to `grace` seconds, then end them; raises where one survives that."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, GRACE_SECONDS)):
        for record in records:
            _send(record, number)
        if _wait_ended(records, patience):
            return
    left = ", ".join(f"{record.name} ({record.pid})" for record in records if alive(record))
    raise ClusterError(
        f"these processes should have ended and still run: {left}. End them by hand, then retry."
    )


def _send(record: Record, number: signal.Signals) -> None:
    if alive(record):
        try:
            os.kill(record.pid, number)
        except ProcessLookupError:
            return


def _wait_ended(records: Sequence[Record], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while any(_reaped_or_alive(record) for record in records):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _reaped_or_alive(record: Record) -> bool:
    """Collect an ended child of ours (it would stay a zombie), then say whether the process runs."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)
    return alive(record)
