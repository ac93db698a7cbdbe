"""An OCI image layout: a package in a folder, as every OCI tool reads it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agentrollouts.release.canonical import CanonicalError, canonical, read_json, sha256
from agentrollouts.release.errors import IntegrityError, ReleaseError
from agentrollouts.release.package import (
    ARTIFACT_TYPE,
    LARGEST_MANIFEST,
    MANIFEST_TYPE,
    Descriptor,
    Package,
    check_blob,
    descriptor,
    read_manifest,
)

MARKER = "oci-layout"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"

_MARKER_CONTENT = canonical({"imageLayoutVersion": "1.0.0"})


def is_layout(folder: Path) -> bool:
    """Whether a folder says that it is one."""
    return (folder / MARKER).is_file()


def write_layout(folder: Path, package: Package, *, name: str) -> None:
    """Write a package into a folder of its own; ``name`` is what the index calls it.

    Writing the same again changes nothing. Raises ReleaseError where the folder holds anything else: a layout is never
    changed, for somebody may rely on it.
    """
    entry = descriptor(MANIFEST_TYPE, package.manifest, {REF_NAME: name}) | {"artifactType": ARTIFACT_TYPE}
    index = canonical({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]})
    files = {"index.json": index, MARKER: _MARKER_CONTENT} | {
        _blob_name(digest): content
        for digest, content in {**package.blobs, package.digest: package.manifest}.items()
    }
    try:
        if folder.exists():
            _refuse_others(folder, files.items())
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    except OSError as error:
        raise ReleaseError(f"can't write {folder}: {error.strerror}") from error


def read_layout(folder: Path) -> Package:
    """The one release in a layout, every blob checked. Raises IntegrityError where it isn't as its digests say."""
    entry = _release_entry(folder)
    manifest = _read(folder, "the manifest", entry, LARGEST_MANIFEST)
    blobs = {
        blob.digest: _read(folder, name, blob, blob.size)
        for name, blob in read_manifest(manifest).blobs.items()
    }
    return Package(manifest, blobs)


def _release_entry(folder: Path) -> Descriptor:
    try:
        index = read_json((folder / "index.json").read_bytes())
        entries = [
            Descriptor.model_validate({key: value for key, value in each.items() if key != "artifactType"})
            for each in index["manifests"]
            if each.get("artifactType") == ARTIFACT_TYPE
        ]
    except OSError as error:
        raise IntegrityError(f"can't read {folder / 'index.json'}: {error.strerror}") from error
    except (CanonicalError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise IntegrityError(f"{folder / 'index.json'}: expected an OCI image index; {error}") from error
    if len(entries) != 1:
        raise IntegrityError(
            f"{folder}: expected one manifest with the artifactType {ARTIFACT_TYPE}; got {len(entries)}"
        )
    return entries[0]


def _read(folder: Path, name: str, blob: Descriptor, most: int) -> bytes:
    path = folder / _blob_name(blob.digest)
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise IntegrityError(f"{name}: can't read {path}: {error.strerror}") from error
    check_blob(name, blob, content)
    return content


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _refuse_others(folder: Path, files: Iterable[tuple[str, Any]]) -> None:
    wanted = dict(files)
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        inside = path.relative_to(folder).as_posix()
        if not path.is_dir() and (
            inside not in wanted or sha256(path.read_bytes()) != sha256(wanted[inside])
        ):
            raise ReleaseError(
                f"expected {folder} to be new, empty or this very release; it has {inside}: choose another folder"
            )
