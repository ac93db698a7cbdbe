"""A hash of all that goes into an image, so that an unchanged one is neither built nor loaded again."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from hack.cluster.commands import attempt
from hack.cluster.errors import ClusterError
from hack.cluster.images.catalogue import Image
from hack.cluster.images.dockerfile import context_sources

_NEVER = {
    ".git",
    ".venv",
    ".state",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    "node_modules",
}


def repository_files(repository: Path) -> list[PurePosixPath]:
    """Files git tracks or would track; where this is no git checkout, all files but the usual droppings."""
    listing = attempt(["git", "ls-files", "-z", "-co", "--exclude-standard"], directory=repository)
    if listing.returncode == 0:
        names = [name for name in listing.stdout.split("\0") if name]
        return sorted(PurePosixPath(name) for name in names if (repository / name).is_file())
    return sorted(_walk(repository))


def _walk(repository: Path) -> Iterator[PurePosixPath]:
    for folder, folders, names in os.walk(repository):
        folders[:] = [name for name in folders if name not in _NEVER]
        for name in names:
            yield PurePosixPath((Path(folder) / name).relative_to(repository).as_posix())


def selected(files: Iterable[PurePosixPath], sources: Sequence[str]) -> list[PurePosixPath]:
    """The files that COPY lines with these sources take: a file, a folder with all below it, or a pattern."""

    def wanted(path: PurePosixPath) -> bool:
        return any(_matches(path, source) for source in sources)

    return [path for path in files if wanted(path)]


def _matches(path: PurePosixPath, source: str) -> bool:
    clean = PurePosixPath(source.rstrip("/"))
    if str(clean) == ".":
        return True
    depth = len(clean.parts)
    return len(path.parts) >= depth and PurePosixPath(*path.parts[:depth]).match(str(clean))


def content_hash(image: Image, *, repository: Path, base: str) -> str:
    """Sixteen hex digits over Dockerfile, target, base and every file copied (names, modes, bytes)."""
    dockerfile = repository / image.dockerfile
    if not dockerfile.exists():
        raise ClusterError(f"image {image.name} is built from {image.dockerfile}, and there is no such file")
    text = dockerfile.read_text(encoding="utf-8")
    digest = hashlib.sha256(f"{text}\0{image.target}\0{base}\0{image.reference}\0".encode())
    sources = context_sources(text, image.target)
    for path in selected(repository_files(repository), sources):
        real = repository / path
        digest.update(f"{path}\0{os.access(real, os.X_OK)}\0".encode())
        digest.update(hashlib.sha256(real.read_bytes()).digest())
    return digest.hexdigest()[:16]
