"""A release as people keep it in git: ``release.yaml`` and the files it names.

Files are read as bytes and never normalised: another line end or a space at the end of a line is another release. Git can change line
ends on checkout; ``* -text`` in ``.gitattributes`` stops it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from agentrollouts.api.agentversion import Label, Lineage
from agentrollouts.api.scalars import AgentName, Digest, Semver
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.canonical import CanonicalError, canonical, read_json, sha256
from agentrollouts.release.documents import (
    LARGEST_DOCUMENT,
    CodeDocument,
    DataDocument,
    ModelDocument,
    PromptsDocument,
    ToolsDocument,
    file_name,
    sentences,
)
from agentrollouts.release.errors import SourceError
from agentrollouts.release.yaml_reading import YamlError, read_yaml

RELEASE_FILE = "release.yaml"
Paths = tuple[str, ...]


class _Source(BaseModel):
    """Unknown fields are refused, so a typing error never leaves something out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CodeSource(_Source):
    """The image, pinned: ``registry.example.com/support:2.1.0@sha256:…``."""

    image: Annotated[str, Field(pattern=r"^[^@\s]{1,184}@sha256:[0-9a-f]{64}$")]


class DataSource(_Source):
    """Files beside ``release.yaml``, or a build kept elsewhere: its digest, and where."""

    files: Paths | None = None
    digest: Digest | None = None
    source: Label = ""

    @model_validator(mode="after")
    def _one(self) -> DataSource:
        if (self.files is None) == (self.digest is None):
            raise ValueError(
                "give exactly one of files (kept here; [] for an agent without data) and digest (kept elsewhere)"
            )
        return self


class ReleaseSource(_Source):
    """``release.yaml``."""

    agent: AgentName
    version: Semver
    code: CodeSource
    model: ModelDocument
    prompts: Paths
    tools: str
    data: DataSource
    lineage: Lineage = Field(default_factory=Lineage)


M = TypeVar("M", bound=BaseModel)


def read_source(folder: Path) -> Artifact:
    """The artifact a release directory describes. Raises SourceError with the file and the field."""
    path = folder / RELEASE_FILE
    given = _validated(ReleaseSource, _with_model(folder, _structure(path)), path)
    name, _, digest = given.code.image.rpartition("@")
    return Artifact(
        agent=given.agent,
        version=given.version,
        code=CodeDocument(digest=digest, image=name),
        model=given.model,
        prompts=_prompts(folder, given.prompts),
        tools=_tools(folder, given.tools),
        data=_data(folder, given.data),
        lineage=given.lineage,
    )


def _with_model(folder: Path, value: Any) -> Any:
    """The model may be a file of its own, such as one that ``agentrollout models render`` makes."""
    if not isinstance(value, dict) or not isinstance(name := value.get("model"), str):
        return value
    path = _only_file(folder, name, "model")
    return {**value, "model": _validated(ModelDocument, _structure(path), path)}


def _prompts(folder: Path, paths: Paths) -> PromptsDocument:
    files = {name: _text(path) for name, path in _files(folder, paths, "prompts")}
    document = PromptsDocument(files=files)
    _bounded(document.content, "prompts")
    return document


def _tools(folder: Path, name: str) -> ToolsDocument:
    path = _only_file(folder, name, "tools")
    document = _validated(ToolsDocument, _structure(path), path)
    _bounded(document.content, "tools")
    return document


def _data(folder: Path, given: DataSource) -> DataDocument:
    if given.digest is not None:
        return DataDocument(digest=given.digest, source=given.source)
    files = {name: _hash(path) for name, path in _files(folder, given.files or (), "data.files")}
    document = DataDocument(digest=sha256(canonical(files)), source=given.source, files=files)
    _bounded(document.content, "data")
    return document


def _only_file(folder: Path, name: str, field: str) -> Path:
    found = dict(_files(folder, (name,), field))
    if len(found) != 1:
        raise SourceError(f"{folder / RELEASE_FILE}: {field}: expected one file; {name} has {len(found)}")
    return next(iter(found.values()))


def _files(folder: Path, paths: Paths, field: str) -> Iterator[tuple[str, Path]]:
    """Path as written in the artifact, and the file; a folder stands for all in it whose names don't begin with a dot."""
    where = f"{folder / RELEASE_FILE}: {field}"
    for name in paths:
        try:
            top = folder / file_name(name.rstrip("/"))
        except ValueError as error:
            raise SourceError(f"{where}: {error}") from error
        if not top.exists():
            raise SourceError(f"{where}: expected a file or folder {name} in {folder}; there is none")
        # NB: rglob doesn't follow a link to a folder. It is kept, so that reading it fails: nothing is left out in silence.
        inner = (each for each in top.rglob("*") if each.is_file() or each.is_symlink())
        found = list(inner) if top.is_dir() else [top]
        for path in found:
            inside = path.relative_to(folder)
            if any(step.startswith(".") for step in inside.parts):
                continue
            if not path.resolve().is_relative_to(folder.resolve()):
                raise SourceError(f"{where}: {inside} leads out of {folder}; copy the file into it")
            try:
                yield file_name(inside.as_posix()), path
            except ValueError as error:
                raise SourceError(f"{where}: {error}") from error


def _structure(path: Path) -> Any:
    """What a YAML or JSON file says."""
    content = _bytes(path)
    try:
        return read_json(content) if path.suffix == ".json" else read_yaml(_decoded(content, path))
    except (CanonicalError, YamlError) as error:
        raise SourceError(f"{path}: {error}") from error


def _validated(model: type[M], value: Any, path: Path) -> M:
    if not isinstance(value, dict):
        raise SourceError(f"{path}: expected a mapping; got {type(value).__name__}")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise SourceError("\n".join(f"{path}: {sentence}" for sentence in sentences(error))) from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"can't read {path}: {error.strerror}") from error


def _text(path: Path) -> str:
    """NB: not read_text(), which turns CRLF into LF."""
    return _decoded(_bytes(path), path)


def _decoded(content: bytes, path: Path) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: expected UTF-8; byte {error.start} isn't") from error


def _hash(path: Path) -> str:
    return sha256(_bytes(path))


def _bounded(content: bytes, part: str) -> None:
    if len(content) > LARGEST_DOCUMENT:
        raise SourceError(
            f"{part}: expected at most {LARGEST_DOCUMENT} bytes; got {len(content)}: keep what is large in the data"
        )
