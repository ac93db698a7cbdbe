from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentrollouts_kit.spool import (
    MAX_BATCH_BYTES,
    MAX_BATCH_RECORDS,
    DiskSpool,
    MemorySpool,
    Spool,
    fills_a_batch,
    in_batches,
)

LINES = [b"%d" % number for number in range(5)]
HOLDING = """
import sys
from pathlib import Path
from agentrollouts_kit.spool import DiskSpool
batch = DiskSpool(Path(sys.argv[1]), 2**20).oldest()
print(b",".join(batch.lines).decode() if batch else "nothing", flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["memory", "disk"])
def spool(request: pytest.FixtureRequest, tmp_path: Path) -> Spool:
    return MemorySpool(8192) if request.param == "memory" else DiskSpool(tmp_path / "spool", 8192)


def taken(spool: Spool) -> list[bytes]:
    found: list[bytes] = []
    while (batch := spool.oldest()) is not None:
        found += batch.lines
        batch.posted()
    return found


def test_records_leave_in_the_order_they_came_once_they_are_posted(spool: Spool) -> None:
    assert spool.append(LINES[:2])
    assert spool.append(LINES[2:])
    assert spool.waiting() == 5
    first = spool.oldest()
    assert first is not None
    assert list(first.lines) == LINES
    first.keep()
    assert spool.waiting() == 5
    assert taken(spool) == LINES
    assert spool.waiting() == 0


def test_what_finds_no_room_is_refused_whole_until_there_is_room(spool: Spool) -> None:
    assert spool.append([b"x" * 4000])
    assert spool.append([b"y" * 4000])
    assert not spool.append([b"z" * 4000])
    assert spool.waiting() == 2
    assert [line[:1] for line in taken(spool)] == [b"x", b"y"]
    assert spool.append([b"z" * 4000])


def test_a_batch_is_bounded_by_number_and_by_bytes(spool: Spool) -> None:
    many = [b"%d" % number for number in range(MAX_BATCH_RECORDS + 20)]
    for batch in in_batches(many):
        assert len(batch) <= MAX_BATCH_RECORDS
        assert spool.append(batch)
    first = spool.oldest()
    assert first is not None
    assert list(first.lines) == many[:MAX_BATCH_RECORDS]
    large = [b"x" * (MAX_BATCH_BYTES // 2)] * 3 + [b"y" * (MAX_BATCH_BYTES * 2)]
    assert [len(batch) for batch in in_batches(large)] == [2, 1, 1]


def test_of_two_batches_one_after_the_other_one_is_worth_no_waiting(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 2**24)
    for number in (30, 40, 31, 45, 56, 100, 1):
        assert spool.append([b"x"] * number)
    for size in (500_000, 600_000, 200_000, 900_000):
        assert spool.append([b"x" * size])
    full = []
    while (batch := spool.oldest()) is not None:
        full.append(fills_a_batch(batch.lines))
        batch.posted()
    assert len(full) > 5
    assert all(one or other for one, other in itertools.pairwise(full))
    assert not fills_a_batch([b"x"] * (MAX_BATCH_RECORDS // 2))
    assert not fills_a_batch([])


def test_a_batch_from_several_files_is_bounded_by_bytes(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 2**23)
    for letter in b"abc":
        spool.append([bytes([letter]) * (MAX_BATCH_BYTES // 2)])
    first = spool.oldest()
    assert first is not None
    assert [line[:1] for line in first.lines] == [b"a"]
    first.posted()
    assert len(taken(spool)) == 2


def test_what_a_killed_process_left_is_found_again_and_takes_its_room(tmp_path: Path) -> None:
    DiskSpool(tmp_path, 8192).append([b"x" * 4000])
    again = DiskSpool(tmp_path, 8192)
    assert again.waiting() == 1
    assert again.append([b"y" * 4000])
    assert not again.append([b"z"])
    assert len(taken(again)) == 2


def test_room_that_another_process_makes_is_noticed(tmp_path: Path) -> None:
    one, other = DiskSpool(tmp_path, 8192), DiskSpool(tmp_path, 8192)
    assert one.append([b"x" * 4000])
    assert one.append([b"y" * 4000])
    assert not one.append([b"z"])
    assert len(taken(other)) == 2
    assert one.append([b"z"])


def test_a_file_is_posted_by_one_process_at_a_time(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 2**20)
    spool.append(LINES)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"0,1,2,3,4\n"
        assert spool.oldest() is None
        other.stdin.close()
    assert taken(spool) == LINES


def test_a_file_that_is_not_complete_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".00-1-0-3.ndjson").write_bytes(b"torn")
    (tmp_path / "notes.txt").write_bytes(b"no records")
    spool = DiskSpool(tmp_path, 2**20)
    assert spool.waiting() == 0
    assert spool.oldest() is None


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path, 2**20)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        spool.append(LINES)
        kept = spool.oldest()
        assert kept is not None
        kept.keep()
    assert len(taken(spool)) == 15
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_is_told_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = DiskSpool(folder, 8192)
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        spool.append([b"x" * 4000])
    assert spool.waiting() == 0
    folder.mkdir()
    assert spool.append([b"x" * 4000])
    assert spool.append([b"x" * 4000])
