"""The verb `models lint`: model names that are anywhere but in the registry."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.models_options import Overrides, as_sentences, models_in
from agentrollouts.models.families import Names
from agentrollouts.models.lint import Finding, findings_in, is_allowed, names_in, registry_findings
from agentrollouts.models.literals import UnreadableError, reader_of
from agentrollouts.models.sarif import annotation, sarif

INVALID = 2
LEFT_OUT = frozenset({"node_modules", "__pycache__"})
"""Folders that aren't looked into when they are met on the way, beside those whose names begin with a dot."""


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def lint_command(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH…", help="Files, or folders to look through.", show_default=False),
    ],
    *,
    registry: Annotated[
        str,
        typer.Option(
            "--registry",
            metavar="FILE",
            help="Look for its names as well, and check that its models are pinned.",
            show_default=False,
        ),
    ] = "",
    override: Overrides = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            "--allow",
            metavar="GLOB",
            help="Paths where models may be named, such as 'tests/*'.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="How findings are printed.")] = Format.TEXT,
) -> None:
    """Find models named in Python, YAML, JSON, TOML and env files. Exit status 1 if there are any, 2 if a file can't be read."""
    given: list[Finding] = []
    names: frozenset[str] = frozenset()
    allowed = list(allow or ())
    if registry:
        with as_sentences(status=INVALID):
            models = models_in(registry, override)
        given, names = registry_findings(models), names_in(models)
        allowed += [_shown(Path(each)) for each in (registry, *(override or ()))]
    elif override:
        raise CommandError("--override needs --registry, the file whose steps it changes", status=INVALID)
    files = list(_files(paths, allowed))
    found, unreadable = _read(files, Names(names))
    _print([*given, *found], form)
    told = [f"{len(files)} files read, {len(given) + len(found)} problem(s)", *unreadable]
    typer.echo("\n".join(told), err=True)
    if unreadable:
        raise typer.Exit(INVALID)
    if given or found:
        raise typer.Exit(1)


def _read(files: Sequence[str], names: Names) -> tuple[list[Finding], list[str]]:
    found: list[Finding] = []
    unreadable: list[str] = []
    for name in files:
        try:
            found += findings_in(name, Path(name).read_text(encoding="utf-8"), names)
        except (UnreadableError, UnicodeDecodeError) as error:
            unreadable.append(f"! {name}: not read: {error}")
        except OSError as error:
            unreadable.append(f"! {name}: not read: {error.strerror}")
    return found, unreadable


def _files(paths: Sequence[Path], allowed: Sequence[str]) -> Iterator[str]:
    """Every file that can be read, once, in order. What is named is read whatever it is called."""
    for path in paths:
        if not path.exists():
            raise CommandError(f"expected a file or a folder; there is no {path} here", status=INVALID)
    seen: set[str] = set()
    for name in (each for path in paths for each in ([path] if path.is_file() else _inside(path))):
        shown = _shown(name)
        if shown in seen or is_allowed(shown, allowed) or reader_of(shown) is None:
            continue
        seen.add(shown)
        yield shown


def _inside(folder: Path) -> Iterator[Path]:
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith(".") and each not in LEFT_OUT)
        yield from (Path(top) / each for each in sorted(files))


def _shown(path: Path) -> str:
    """A path as it is matched and printed: with slashes and without a leading ``./``."""
    return Path(os.path.normpath(path)).as_posix()


def _print(findings: Sequence[Finding], form: Format) -> None:
    match form:
        case Format.TEXT:
            lines = [
                f"{each.path}:{each.line}:{each.column}: {each.rule}: {each.message}" for each in findings
            ]
        case Format.GITHUB:
            lines = [annotation(each) for each in findings]
        case Format.JSON:
            lines = [json.dumps([asdict(each) for each in findings], indent=2, ensure_ascii=False)]
        case Format.SARIF:
            lines = [json.dumps(sarif(findings), indent=2, ensure_ascii=False)]
    for line in lines:
        typer.echo(line)
