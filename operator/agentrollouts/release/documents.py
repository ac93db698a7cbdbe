"""The five parts as documents: what each says, and what its digest is of.

A document's bytes are its canonical JSON, nothing else. The digest of model, prompts and tools is that of their bytes. Code and data
are kept elsewhere, so theirs is the digest of what they refer to: moving an image to another registry isn't another release.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic.alias_generators import to_camel

from agentrollouts.api.agentversion import Label
from agentrollouts.api.scalars import Digest
from agentrollouts.release.canonical import CanonicalError, canonical, parse, sha256
from agentrollouts.release.errors import IntegrityError

LARGEST_DOCUMENT = 4 * 1024 * 1024
"""Bytes. Prompts and tool manifests are read by people; what is larger belongs to the data."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class Document(BaseModel):
    """One part. What isn't known is refused, for it would be approved without having been read."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

    @property
    def content(self) -> bytes:
        """The canonical bytes."""
        return canonical(self.model_dump(by_alias=True, mode="json"))

    @property
    def part_digest(self) -> str:
        """What the release names this part by."""
        return sha256(self.content)


def file_name(name: str) -> str:
    """A relative path that means the same on every machine. Raises ValueError.

    NB: no more than ASCII, because file systems spell other characters in different ways, and no dot first, so no ``..`` either.
    """
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(
            f"expected a relative path of letters, digits, dots, dashes and underscores, no part with a dot first; got {name!r}"
        )
    return name


def unique(names: Iterable[str], what: str) -> None:
    """Raises ValueError where a name comes twice."""
    name, times = next(iter(Counter(names).most_common(1)), ("", 0))
    if times > 1:
        raise ValueError(f"{what} {name!r} is given {times} times; keep one")


class CodeDocument(Document):
    """The image that runs. The name is for people and says where to find it; the digest is the part."""

    digest: Digest
    image: Annotated[str, Field(min_length=1, max_length=256)]

    @property
    def part_digest(self) -> str:
        """The image's own digest."""
        return self.digest


Parameters = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], bool | int | Label], Field(max_length=32)
]
Named = Annotated[str, Field(min_length=1, max_length=256)]
StepName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=63)]


class _Exact(Document):
    """What has parameters. One is a string, an integer or a boolean; fractions are strings."""

    parameters: Parameters = Field(default_factory=dict)

    @field_validator("parameters", mode="before")
    @classmethod
    def _exact(cls, given: Any) -> Any:
        """Say what to write instead of a fraction, which strict types would only call no string."""
        if isinstance(given, dict):
            canonical(given)
        return given


class StepModel(_Exact):
    """The language model of one step of an agent; always a pinned one."""

    provider: Named
    name: Named
    snapshot: Named


class ModelDocument(_Exact):
    """The language model, or for an agent that uses several, the one of each step.

    A document has either form and is written as if there were no other, so the digests of agents with one model don't depend on steps.
    """

    provider: Label = ""
    name: Label = ""
    snapshot: Label = ""
    steps: Annotated[dict[StepName, StepModel], Field(max_length=32)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_form(self) -> ModelDocument:
        single = bool(self.provider or self.name or self.snapshot or self.parameters)
        if self.steps and single:
            raise ValueError(
                "give either one model (provider, name, snapshot, parameters) or steps, not both"
            )
        if not self.steps and not (self.provider and self.name):
            raise ValueError("expected provider and name of the model, or steps with a model each")
        return self

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = write(self)
        if self.steps:
            return {"steps": fields["steps"]}
        del fields["steps"]
        return fields


class PromptsDocument(Document):
    """Every prompt's text by its path, byte for byte: line ends, a BOM and trailing space all count."""

    files: dict[str, str]

    @field_validator("files")
    @classmethod
    def _names(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            file_name(name)
        return files


Permission = Annotated[str, Field(min_length=1, max_length=256)]


class Tool(Document):
    """One tool: what the model is told of it and what it may do. ``unsafe``: a call can't be taken back, or others see it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]
    description: str
    permissions: tuple[Permission, ...] = ()
    side_effects: Literal["safe", "unsafe"]
    input_schema: dict[str, Any] = Field(default_factory=dict)

    @field_validator("permissions")
    @classmethod
    def _once(cls, permissions: tuple[str, ...]) -> tuple[str, ...]:
        unique(permissions, "the permission")
        return permissions

    @field_validator("input_schema")
    @classmethod
    def _exact(cls, schema: dict[str, Any]) -> dict[str, Any]:
        canonical(schema)
        return schema


class ToolsDocument(Document):
    """The tool manifest, in the order in which the model sees the tools."""

    tools: Annotated[tuple[Tool, ...], Field(max_length=64)]

    @field_validator("tools")
    @classmethod
    def _once(cls, tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
        unique((tool.name for tool in tools), "the tool")
        return tools


class DataDocument(Document):
    """What the agent answers from: a build kept elsewhere, by its digest, or files, each by its own."""

    digest: Digest
    source: Label = ""
    files: dict[str, Digest] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agree(self) -> DataDocument:
        for name in self.files:
            file_name(name)
        if self.files and self.digest != sha256(canonical(self.files)):
            raise ValueError(
                f"expected the digest of the files, {sha256(canonical(self.files))}; got {self.digest}"
            )
        return self

    @property
    def part_digest(self) -> str:
        """The digest of the build."""
        return self.digest


D = TypeVar("D", bound=Document)


def read_document(kind: type[D], content: bytes, part: str) -> D:
    """A stored document. Raises IntegrityError unless the bytes are exactly what this document would be written as."""
    try:
        document = kind.model_validate(parse(content))
    except CanonicalError as error:
        raise IntegrityError(f"part {part}: {error}") from error
    except ValidationError as error:
        raise IntegrityError(f"part {part}: {'; '.join(sentences(error))}") from error
    if document.content != content:
        raise IntegrityError(
            f"part {part}: expected every field written out, as `release build` does; {kind.__name__} has others"
        )
    return document


def sentences(error: ValidationError) -> list[str]:
    """Each complaint as ``field: what was expected; got what was seen``."""
    return [_sentence(item["loc"], item["type"], item["msg"], item["input"]) for item in error.errors()]


def _sentence(location: tuple[int | str, ...], kind: str, message: str, seen: object) -> str:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location).lstrip(".")
    if kind == "missing":
        said = "is missing"
    elif kind == "extra_forbidden":
        said = "is not a field here; remove it, or check its spelling"
    elif kind == "value_error":
        said = message.removeprefix("Value error, ")
    else:
        text = repr(seen)
        said = f"{message}; got {text if len(text) <= 80 else text[:80] + '…'}"
    return f"{place}: {said}" if place else said
