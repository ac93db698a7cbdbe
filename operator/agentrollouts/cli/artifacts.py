"""Finds the release that an argument names: a release directory, a layout, a file with its ConfigMap, or a reference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.lint import text_of
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.configmap import package_in
from agentrollouts.release.credentials import credentials_for
from agentrollouts.release.errors import ReleaseError
from agentrollouts.release.layout import is_layout, read_layout
from agentrollouts.release.package import Package, artifact_of, package_of
from agentrollouts.release.reference import Reference, parse_reference
from agentrollouts.release.source import RELEASE_FILE, read_source

if TYPE_CHECKING:
    from agentrollouts.release.registry import Registry

WHAT = "A release directory, an OCI layout, a ConfigMap's YAML file or a reference such as registry.example.com/support:2.1.0."
What = Annotated[str, typer.Argument(metavar="RELEASE", help=WHAT)]
PlainHttp = Annotated[
    bool, typer.Option("--plain-http", help="Speak HTTP with a registry that isn't on this machine.")
]


@contextmanager
def as_sentences() -> Iterator[None]:
    """What is wrong with a release, as the program says what is wrong."""
    try:
        yield
    except ReleaseError as error:
        raise CommandError(str(error)) from error


def find(what: str, *, plain_http: bool = False) -> Artifact:
    """The artifact, with every digest worked out again. Raises ReleaseError or CommandError."""
    path = Path(what)
    return read_source(path) if (path / RELEASE_FILE).is_file() else artifact_of(_package(what, plain_http))


def find_package(what: str, *, plain_http: bool = False) -> tuple[Artifact, Package]:
    """The artifact and its package."""
    artifact = find(what, plain_http=plain_http)
    return artifact, package_of(artifact)


def registry(reference: Reference, *, plain_http: bool) -> Registry:
    """The registry of a reference, with the user's own credentials for it."""
    # NB: httpx takes long to load, and most commands need no registry.
    from agentrollouts.release.registry import Registry

    credentials = credentials_for(reference.host, reference.repository)
    return Registry(reference, credentials=credentials, plain_http=plain_http)


def as_yaml(value: dict[str, Any]) -> str:
    """A manifest as it is printed."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)


def objects(path: Path) -> list[dict[str, Any]]:
    """The Kubernetes objects in a YAML file."""
    try:
        found = list(yaml.safe_load_all(text_of(path)))
    except yaml.YAMLError as error:
        raise CommandError(f"{path}: expected YAML; {error}") from error
    return [each for each in found if isinstance(each, dict)]


def _package(what: str, plain_http: bool) -> Package:
    path = Path(what)
    if is_layout(path):
        return read_layout(path)
    if path.is_dir():
        raise CommandError(
            f"expected a release directory (with {RELEASE_FILE}) or an OCI layout; {what} is neither"
        )
    if path.is_file():
        return _in_configmap(path)
    if what.startswith((".", "/", "~")) or "/" not in what:
        raise CommandError(f"expected {WHAT[0].lower()}{WHAT[1:-1]}; there is no {what} here")
    with registry(parse_reference(what), plain_http=plain_http) as remote:
        return remote.pull()


def _in_configmap(path: Path) -> Package:
    maps = [each for each in objects(path) if each.get("kind") == "ConfigMap"]
    if len(maps) != 1:
        raise CommandError(f"expected one ConfigMap in {path}; got {len(maps)}")
    return package_in(maps[0])
