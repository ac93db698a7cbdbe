"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from agentrollouts.evals.errors import InputError
from agentrollouts.evals.files import put


def test_a_file_keeps_its_mode_and_a_new_one_can_be_read(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.write_text("before")
    old.chmod(0o600)
    put(old, b"after")
    put(tmp_path / "new", b"after")
    assert (old.stat().st_mode & 0o777, (tmp_path / "new").stat().st_mode & 0o777) == (0o600, 0o644)
    assert old.read_bytes() == b"after"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("before")
    (tmp_path / "link").symlink_to("real")
    put(tmp_path / "link", b"after")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"after"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    (tmp_path / "file").write_text("before")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full)
    with pytest.raises(InputError, match=r"can't write .*file: No space left on device"):
        put(tmp_path / "file", b"after")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "before")]


def test_of_several_writers_one_wins_whole(tmp_path: Path) -> None:
    bodies = [bytes([65 + n]) * 200_000 for n in range(8)]
    begin = threading.Barrier(len(bodies))

    def write(body: bytes) -> None:
        begin.wait()
        put(tmp_path / "file", body)

    threads = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file").read_bytes() in bodies
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
