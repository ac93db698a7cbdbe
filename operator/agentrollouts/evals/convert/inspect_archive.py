"""Logs of Inspect in its own format, ``.eval``: a zip archive with a header and one file of JSON a sample.

Members are compressed by deflate or, by Inspect of 2026, by Zstandard, which Python itself knows since 3.14.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from agentrollouts.evals.errors import InputError
from agentrollouts.evals.results import parsed

if sys.version_info >= (3, 14):
    import zipfile

    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError, zipfile

_MAGIC = b"PK\x03\x04"
_HEADER, _SAMPLES = "header.json", "samples/"
_JSON = ".json"
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, ZstdError, EOFError, NotImplementedError, OSError, RuntimeError, ValueError,
)  # fmt: skip
LARGEST = 256 << 20
"""Bytes of one member at most: a sample holds its whole transcript, and is read at once."""


def is_archive(body: bytes) -> bool:
    """Whether a file is one."""
    return body.startswith(_MAGIC)


def log_of(body: bytes) -> Any:
    """The log as :mod:`agentrollouts.evals.convert.inspect` takes it: its status, and of each sample what that goes by.

    A log without a header is one that Inspect didn't come to the end of; its status is ``started``.

    Raises:
        InputError: it is no such archive, it is damaged, or a member is larger than ``LARGEST``.
    """
    with _opened(body) as archive:
        # NB: a sample that was done again is there twice under one name, which opens the later one.
        names = dict.fromkeys(archive.namelist())
        samples = [name for name in names if name.startswith(_SAMPLES) and name.endswith(_JSON)]
        status = _member(archive, _HEADER).get("status") if _HEADER in names else "started"
        return {
            "status": status,
            "samples": [_without_transcript(_member(archive, name)) for name in samples],
        }


@contextmanager
def _opened(body: bytes) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(BytesIO(body)) as archive:
            for each in archive.infolist():
                # NB: checks the name: a sample under a damaged one wouldn't be missed.
                archive.open(each).close()
            yield archive
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(f"expected a log of Inspect; {error}. Was the file written to its end?") from error


def _member(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    if (size := archive.getinfo(name).file_size) > LARGEST:
        raise InputError(f"expected at most {LARGEST:,} bytes in {name}; got {size:,}")
    try:
        value = parsed(archive.read(name).decode())
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"{name}: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{name}: expected an object; got {str(value)[:80]}")
    return value


def _without_transcript(sample: dict[str, Any]) -> dict[str, Any]:
    return {name: sample[name] for name in ("id", "epoch", "scores", "error") if name in sample}
