"""Files of results: read whole or not at all, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from agentrollouts.evals.errors import InputError


def bytes_of(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        InputError: it can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"can't read {path}: {error.strerror}") from error


def text_of(path: Path) -> str:
    """A file's text.

    Raises:
        InputError: it can't be read, or it is no UTF-8.
    """
    try:
        return bytes_of(path).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"can't read {path}: it is no UTF-8 text") from error


def put(path: Path, body: bytes) -> None:
    """Replace a file in one step: who reads it sees the old or the new one, and a failure leaves the old one.

    Two writers have a temporary file each, so the last one wins whole. A link is followed, and the file's mode is kept.

    Raises:
        InputError: it can't be written; the old file is as it was.
    """
    target = Path(os.path.realpath(path))
    waiting: Path | None = None
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            waiting = Path(file.name)
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        waiting.chmod(mode)
        waiting.replace(target)
    except OSError as error:
        if waiting is not None:
            waiting.unlink(missing_ok=True)
        raise InputError(f"can't write {path}: {error.strerror}") from error


def check_writable(path: Path) -> None:
    """Refuse early what could only be refused after hours of work.

    Raises:
        InputError: there is no such folder, or it can't be written to.
    """
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise InputError(
            f"can't write {path}: expected a file in a folder that is there and may be written to"
        )
