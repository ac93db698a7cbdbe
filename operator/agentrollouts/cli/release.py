"""The verbs of `release`: an artifact built, checked, moved and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from agentrollouts.api.agentversion import Release
from agentrollouts.cli.artifacts import (
    PlainHttp,
    What,
    as_sentences,
    as_yaml,
    find,
    find_package,
    objects,
    registry,
)
from agentrollouts.cli.diff import diff_command
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.sign import Claimed, ClaimName, check_signature, sign_command
from agentrollouts.release.artifact import agent_version
from agentrollouts.release.configmap import configmap_of
from agentrollouts.release.digest import parts_of
from agentrollouts.release.layout import write_layout
from agentrollouts.release.package import artifact_of, differing
from agentrollouts.release.reference import parse_reference

release = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The artifact of a release: code, model, prompts, tools and data under one digest.",
)

Ref = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="Such as registry.example.com/agents/support:2.1.0.")
]
Layout = Annotated[
    Path, typer.Option("--layout", "-o", metavar="FOLDER", help="Write an OCI image layout there.")
]


def build_command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Holds release.yaml and what it names.")],
    layout: Annotated[
        Path | None,
        typer.Option(
            "--layout", "-o", metavar="FOLDER", help="Write an OCI image layout there.", show_default=False
        ),
    ] = None,
) -> None:
    """Print the AgentVersion of a release directory, without its pods; the artifact digest goes to standard error."""
    with as_sentences():
        artifact, package = find_package(str(directory))
        if layout is not None:
            write_layout(layout, package, name=artifact.version)
    typer.echo(as_yaml(agent_version(artifact)), nl=False)
    typer.echo(artifact.digest, err=True)


def verify_command(
    what: What,
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="RELEASE",
            help="Another release, or a YAML file with an AgentVersion, that must have the same five parts.",
        ),
    ] = "",
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="Ed25519 public key as PEM that must have signed the release.",
            show_default=False,
        ),
    ] = None,
    attestation: Annotated[
        list[Path] | None,
        typer.Option(
            "--attestation",
            metavar="FILE",
            help="A signed statement; without any, those in the registry count.",
            show_default=False,
        ),
    ] = None,
    claim: Claimed = ClaimName.BUILD,
    plain_http: PlainHttp = False,
) -> None:
    """Work every digest out again; print the artifact digest, or say which part differs and end with status 1."""
    with as_sentences():
        artifact = find(what, plain_http=plain_http)
        if against:
            differ = differing(_expected(against, plain_http), artifact.parts)
            if differ:
                raise CommandError("\n".join(differ))
        if key is not None:
            found = check_signature(what, artifact, key, attestation or [], claim, plain_http=plain_http)
            typer.echo(f"{found.claim}: signed by {found.key_id}", err=True)
        elif attestation:
            raise CommandError("--attestation needs --key, the public key it must be signed with", status=2)
    typer.echo(artifact.digest)


def push_command(what: What, reference: Ref, *, plain_http: PlainHttp = False) -> None:
    """Push to a registry. A tag that is another release already is refused."""
    with as_sentences():
        target = parse_reference(reference)
        artifact, package = find_package(what, plain_http=plain_http)
        with registry(target, plain_http=plain_http) as remote:
            pushed = remote.push(package)
    typer.echo(f"{target.host}/{target.repository}@{pushed.digest}")
    typer.echo(
        f"artifact {artifact.digest}, {pushed.new_blobs} of {len(package.blobs)} blobs were new", err=True
    )


def pull_command(reference: Ref, layout: Layout, *, plain_http: PlainHttp = False) -> None:
    """Pull from a registry into an OCI image layout, with every digest and size checked."""
    with as_sentences():
        with registry(parse_reference(reference), plain_http=plain_http) as remote:
            package = remote.pull()
        artifact = artifact_of(package)
        write_layout(layout, package, name=artifact.version)
    typer.echo(artifact.digest)


def configmap_command(what: What, *, plain_http: PlainHttp = False) -> None:
    """Print the release as one immutable ConfigMap, for clusters without a registry: `kubectl create -f -`."""
    with as_sentences():
        typer.echo(as_yaml(configmap_of(find(what, plain_http=plain_http))), nl=False)


for _name, _command in (
    ("build", build_command),
    ("diff", diff_command),
    ("verify", verify_command),
    ("push", push_command),
    ("pull", pull_command),
    ("configmap", configmap_command),
    ("sign", sign_command),
):
    release.command(_name)(_command)


def _expected(against: str, plain_http: bool) -> dict[str, str]:
    """The part digests another release has, or an AgentVersion names."""
    path = Path(against)
    versions = (
        [each for each in objects(path) if each.get("kind") == "AgentVersion"] if path.is_file() else []
    )
    if len(versions) > 1:
        raise CommandError(f"expected one AgentVersion in {against}; got {len(versions)}")
    if not versions:
        return find(against, plain_http=plain_http).parts
    try:
        return parts_of(Release.model_validate((versions[0].get("spec") or {}).get("release")))
    except ValidationError as error:
        raise CommandError(f"{against}: spec.release isn't one: run `agentrollout lint {against}`") from error
