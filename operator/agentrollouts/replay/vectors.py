"""The vectors that a replay has been given, in a file beside its journal, so that no text is asked for twice.

A line of JSON each, with a hash of who made it and one of the text; the text itself isn't there. A vector says much of what its text says all
the same, so only the owner can read the file. It can be removed at any time: what it had is asked for again. Beyond ``MOST_BYTES``
nothing more is kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from array import array
from collections.abc import Collection, Iterator, Mapping
from math import hypot
from pathlib import Path
from typing import Any, Final

from agentrollouts.replay.embedding import Vector, Vectors
from agentrollouts.replay.errors import ReplayError

FORM: Final = "agentrollouts.io/replay-vectors/v1"
MOST_BYTES: Final = 256 << 20
"""About thirty thousand vectors of 1,536 numbers."""
_ROUNDING: Final = 1e-3


class KeptVectors:
    """The vectors of one model behind one address in a file that may have others', too."""

    def __init__(self, path: Path, *, url: str, model: str, most_bytes: int = MOST_BYTES) -> None:
        """Find the file, or begin it with the first vector.

        Raises:
            ReplayError: it can't be read, or it is something else.
        """
        self.path, self._most = path, most_bytes
        self._by = _digest(f"{url.rstrip('/')}\0{model}")
        first = next(self._lines(), b"")
        if first and _decoded(first).get("vectors") != FORM:
            raise ReplayError(
                f"expected embeddings of a replay in {path}; it is something else: move it, or name another file with --journal"
            )

    def find(self, texts: Collection[str]) -> dict[str, Vector]:
        """Those of the texts that are there. A line that was torn, or is no vector, is none."""
        wanted = {_digest(text): text for text in texts}
        found = {}
        for line in self._lines():
            kept = _decoded(line)
            text = wanted.get(str(kept.get("text"))) if kept.get("by") == self._by else None
            if text is not None and (vector := _unpacked(kept.get("vector"))) is not None:
                found[text] = vector
        return found

    def keep(self, vectors: Vectors) -> None:
        """Put them on the disk, as long as there is room.

        Raises:
            ReplayError: the file can't be written.
        """
        try:
            with open(self.path, "ab", opener=_private) as file:
                if not file.tell():
                    file.write(_line({"vectors": FORM}))
                # NB: begins with a line break, for a line before it may be torn.
                lines = (b"\n" + self._packed(text, vector) for text, vector in vectors.items())
                for line in lines:
                    if file.tell() + len(line) > self._most:
                        break
                    file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ReplayError(f"can't write the embeddings' file {self.path}: {error.strerror}") from error

    def _packed(self, text: str, vector: Vector) -> bytes:
        packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        return _line({"by": self._by, "text": _digest(text), "vector": packed})

    def _lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                yield from (line for line in file if line.strip())
        except FileNotFoundError:
            return
        except OSError as error:
            raise ReplayError(f"can't read the embeddings' file {self.path}: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _line(value: Mapping[str, str]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _decoded(line: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _unpacked(text: object) -> Vector | None:
    try:
        packed = base64.b64decode(str(text), validate=True)
        numbers = struct.unpack(f"<{len(packed) // 4}f", packed)
        length = hypot(*numbers)
    except (ValueError, struct.error):
        return None
    # NB: not made one anew, for the rounding would be another one than when it was first used.
    return array("f", numbers) if abs(length - 1) <= _ROUNDING else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
