import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hack.cluster.native import processes
from hack.cluster.native.mounts import mounts_below
from hack.cluster.polling import wait_for

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)",
]


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(SLEEP)
    yield child
    child.kill()
    child.wait()


def started(tmp_path: Path, name: str, argv: list[str], mark: str = "TEST_MARK") -> processes.Record:
    environment = {**os.environ, mark: name}
    return processes.start(name, argv, pids=tmp_path, log=tmp_path / f"{name}.log", environment=environment)


def test_the_name_in_a_stat_line_may_hold_brackets_and_spaces() -> None:
    fields = " ".join(str(number) for number in range(4, 53))
    assert processes.stat_of(f"42 (a) b) (c) S {fields}") == ("S", 22)


def test_a_started_process_is_known_alive_and_can_be_ended(tmp_path: Path) -> None:
    record = started(tmp_path, "one", SLEEP)
    assert processes.running(tmp_path) == {"one": record}
    processes.stop([record])
    assert processes.running(tmp_path) == {}
    assert processes.recorded(tmp_path) == {"one": record}


def test_a_process_that_ignores_the_request_is_ended_all_the_same(tmp_path: Path) -> None:
    record = started(tmp_path, "two", STUBBORN)
    log = tmp_path / "two.log"
    wait_for("the child to speak", lambda: log.read_text(encoding="utf-8") == "on\n", seconds=10)
    processes.stop([record], grace=0.2)
    assert not processes.alive(record)


def test_another_process_under_a_recorded_number_is_neither_ours_nor_ended(
    stranger: subprocess.Popen[bytes],
) -> None:
    seen = processes.identity(stranger.pid, name="kubelet")
    assert seen is not None
    stale = dataclasses.replace(seen, start=seen.start - 1)
    assert not processes.alive(stale)
    processes.stop([stale])
    assert stranger.poll() is None


def test_a_record_of_another_boot_is_of_nobody(stranger: subprocess.Popen[bytes]) -> None:
    seen = processes.identity(stranger.pid, name="etcd")
    assert seen is not None
    assert not processes.alive(dataclasses.replace(seen, boot="another"))


def test_a_record_cut_off_while_written_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "etcd.json").write_text('{"name": "etcd", "pid": 1', encoding="utf-8")
    assert processes.recorded(tmp_path) == {}


def test_the_mark_finds_what_no_record_tells_of(tmp_path: Path, stranger: subprocess.Popen[bytes]) -> None:
    mark = f"MARK_OF_{tmp_path.name.replace('-', '_')}"
    record = started(tmp_path, "lost", SLEEP, mark=mark)
    (tmp_path / "lost.json").unlink()
    assert [found.pid for found in processes.marked(mark)] == [record.pid]
    processes.stop(processes.marked(mark))
    assert processes.marked(mark) == []
    assert stranger.poll() is None


def test_mounts_come_off_in_reverse_order_and_only_from_inside() -> None:
    table = "\n".join(
        f"{number} 1 0:{number} / {point} rw - tmpfs tmpfs rw"
        for number, point in enumerate(
            [
                "/",
                "/run/agent-rollouts/a",
                "/run/agent-rollouts-other",
                r"/run/agent-rollouts/a/b\040c",
                "/run",
            ]
        )
    )
    folders = [Path("/run/agent-rollouts")]
    assert mounts_below(table, folders) == [Path("/run/agent-rollouts/a/b c"), Path("/run/agent-rollouts/a")]
