"""What this process really loaded: the five documents of its release, held against the digest it was promised.

`kubectl agentrollout release configmap` writes the documents and `AGENT_RELEASE_DIR` is where they are mounted. The digest is worked
out over the very bytes that are handed to the agent, the way docs/release.md describes it; `AGENT_RELEASE_DIGEST` has the promised one.
Where they differ the agent must not serve: an error is raised at its start, and the reason is left where Kubernetes passes it on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric

from agentrollouts_kit.identity import Identity

PARTS: Final = ("code", "model", "prompts", "tools", "data")
TERMINATION_LOG: Final = "/dev/termination-log"
"""Where a container says why it ended; it becomes part of the pod's status, which the operator watches anyway."""
_BY_REFERENCE: Final = ("code", "data")
"""Kept elsewhere: their digest is the one that they name."""
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class ReleaseError(ValueError):
    """The documents of the release can't be read, or aren't what they should be."""


class ReleaseMismatchError(ReleaseError):
    """What was loaded isn't what was promised. `loaded` and `promised` are the two artifact digests."""

    def __init__(self, loaded: str, promised: str, parts: tuple[str, ...]) -> None:
        which = f" ({', '.join(parts)})" if parts else ""
        # NB: the operator reads this sentence in the pod's status (runtime/children.py).
        super().__init__(f"DigestMismatch: loaded {loaded}, promised {promised}{which}")
        self.loaded = loaded
        self.promised = promised
        self.parts = parts


@dataclass(frozen=True, slots=True)
class LoadedRelease:
    """A release as this process loaded it. `documents` are by part, as docs/release.md has them; `parts` are their digests."""

    documents: Mapping[str, Mapping[str, Any]] = field(repr=False)
    parts: Mapping[str, str]
    digest: str
    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The data files by name, where AGENT_RELEASE_DATA_DIR says where they are."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """Every prompt's text by its path."""
        return _mapping(self.documents["prompts"], "files", "prompts")

    @property
    def model(self) -> Mapping[str, Any]:
        """Provider, name, snapshot and parameters; a fraction is a string."""
        return self.documents["model"]

    @property
    def tools(self) -> list[Mapping[str, Any]]:
        """The tools in the order in which the model sees them."""
        return list(self.documents["tools"].get("tools", ()))


_in_use: LoadedRelease | None = None


def load_release(env: Mapping[str, str] = os.environ, /) -> LoadedRelease | None:
    """Read the release of this process; None where AGENT_RELEASE_DIR names none. Call it once, before anything is served.

    Raises:
        ReleaseMismatchError: it isn't the one that AGENT_RELEASE_DIGEST promises. Let the process end: its pod never becomes ready,
            and the operator takes the version out.
        ReleaseError: a document is missing or malformed, or a data file can't be read.
    """
    global _in_use
    folder = env.get("AGENT_RELEASE_DIR", "").strip()
    if not folder:
        return None
    try:
        release = read_release(Path(folder), env.get("AGENT_RELEASE_DATA_DIR", "").strip())
        promised = env.get("AGENT_RELEASE_DIGEST", "").strip()
        if promised and release.digest != promised:
            raise ReleaseMismatchError(
                release.digest, promised, _differing(Path(folder), promised, release.parts)
            )
    except ReleaseError as error:
        _leave_word(env.get("AGENT_TERMINATION_LOG", "").strip() or TERMINATION_LOG, str(error))
        raise
    _in_use = release
    return release


def read_release(folder: Path, data: str = "") -> LoadedRelease:
    """The release in a folder, whatever was promised. `data`: the folder with the data files, hashed anew where it is given."""
    contents = {part: _bytes(folder / f"{part}.json") for part in PARTS}
    documents = {part: _document(part, content) for part, content in contents.items()}
    files = _data_files(documents["data"], Path(data)) if data else {}
    parts = {
        part: _named(part, documents[part], files) if part in _BY_REFERENCE else _sha256(content)
        for part, content in contents.items()
    }
    return LoadedRelease(documents, parts, _sha256(_canonical(parts)), files)


def safe_tools(named: Collection[str]) -> Collection[str]:
    """The tools that a replay may run for real: what the manifest of the release in use marks as safe.

    Where a release is in use nobody else's word counts, for its digest is what was reviewed; `named` (AGENT_SAFE_TOOLS) where there is none.
    """
    if _in_use is None:
        return named
    return tuple(str(tool.get("name")) for tool in _in_use.tools if tool.get("sideEffects") == "safe")


def release_families(identity: Identity) -> Iterator[Metric]:
    """What this process loaded, for whoever scrapes it; nothing where it loaded nothing, so that nobody takes silence for a match."""
    if _in_use is not None:
        labels = ("agent", "version", "digest", "loaded")
        family = GaugeMetricFamily(
            "agent_release_info", "Always 1; the digest of the release this process loaded.", labels=labels
        )
        family.add_metric((identity.agent, identity.version, identity.digest, _in_use.digest), 1)
        yield family


def _named(part: str, document: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """The digest of a part that is kept elsewhere; of data files, that of the bytes that were read, or else of their own digests."""
    if part == "data" and _mapping(document, "files", part):
        hashes = {name: _sha256(content) for name, content in files.items()} or document["files"]
        return _sha256(_canonical(hashes))
    digest = document.get("digest")
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise ReleaseError(
            f"{part}.json: digest: expected sha256: and 64 lower-case hexadecimal digits; got {digest!r}"
        )
    return digest


def _data_files(document: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    names = _mapping(document, "files", "data")
    if not names:
        raise ReleaseError(
            "AGENT_RELEASE_DATA_DIR is set, but data.json names no files: the data is kept elsewhere; leave the variable empty"
        )
    return {name: _bytes(folder / name) for name in names}


def _differing(folder: Path, promised: str, parts: Mapping[str, str]) -> tuple[str, ...]:
    """The parts that differ, where parts.json is the document of the promised digests; none where that isn't known."""
    try:
        content = _bytes(folder / "parts.json")
        expected = _document("parts", content)
    except ReleaseError:
        return ()
    if _sha256(content) != promised:
        return ()
    return tuple(part for part in PARTS if expected.get(part) != parts[part])


def _leave_word(path: str, text: str) -> None:
    """Only where there is such a file: on a laptop there is none, and none is made."""
    if Path(path).is_file():
        try:
            Path(path).write_text(text[:1024])
        except OSError:
            return


def _document(part: str, content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content.decode(), object_pairs_hook=_once)
    except ValueError as error:
        raise ReleaseError(f"{part}.json: expected canonical JSON; {error}") from error
    if not isinstance(value, dict):
        raise ReleaseError(f"{part}.json: expected an object; got {type(value).__name__}")
    return value


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """NB: of a key given twice parsers take one or the other, and what was approved might be the other one."""
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value:
            raise ValueError(f"the key {key!r} is given twice in one object")
        value[key] = item
    return value


def _mapping(document: Mapping[str, Any], name: str, part: str) -> Mapping[str, Any]:
    value = document.get(name, {})
    if not isinstance(value, dict):
        raise ReleaseError(f"{part}.json: {name}: expected an object; got {type(value).__name__}")
    return value


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ReleaseError(
            f"can't read {path}: {error.strerror}; is the release's ConfigMap mounted there?"
        ) from error


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
