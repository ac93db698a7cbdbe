"""The verb `release sign`, and what `release verify` does with a key."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from agentrollouts.cli.artifacts import PlainHttp, What, as_sentences, as_yaml, find_package, registry
from agentrollouts.cli.errors import CommandError
from agentrollouts.release.artifact import Artifact
from agentrollouts.release.attestation import Attestation, SignatureError, check, sign, statement
from agentrollouts.release.canonical import CanonicalError, read_json
from agentrollouts.release.package import package_of
from agentrollouts.release.reference import parse_reference
from agentrollouts.release.statement_map import statement_map


class ClaimName(StrEnum):
    """What a statement is about."""

    BUILD = "build"
    EVAL = "eval"
    REPLAY = "replay"
    APPROVAL = "approval"


Claimed = Annotated[ClaimName, typer.Option("--claim", help="What is vouched for.")]


def sign_command(
    what: What,
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="Ed25519 private key as PEM, without a password.")
    ],
    claim: Claimed = ClaimName.BUILD,
    predicate: Annotated[
        Path | None,
        typer.Option(
            "--predicate", metavar="FILE", help="What there is to say, as JSON.", show_default=False
        ),
    ] = None,
    *,
    attach_to: Annotated[
        str,
        typer.Option(
            "--attach", metavar="REFERENCE", help="Keep it in the registry, beside the release there."
        ),
    ] = "",
    configmap: Annotated[
        bool,
        typer.Option(
            "--configmap",
            help="Print it as an immutable ConfigMap, where the operator finds it without a registry.",
        ),
    ] = False,
    plain_http: PlainHttp = False,
) -> None:
    """Print a signed statement about a release: in-toto in a DSSE envelope, made offline with a key of yours."""
    with as_sentences():
        artifact, package = find_package(what, plain_http=plain_http)
        envelope = sign(statement(artifact, claim.value, _predicate(predicate)), _bytes(key))
        if attach_to:
            with registry(parse_reference(attach_to), plain_http=plain_http) as remote:
                if remote.pull() != package:
                    raise CommandError(f"expected {attach_to} to be this release; push it first")
                # NB: it loads httpx, which takes long.
                from agentrollouts.release.referrers import attach

                attach(remote, package, envelope)
        if configmap:
            typer.echo(as_yaml(statement_map(artifact.agent, artifact, claim.value, envelope)), nl=False)
            return
    typer.echo(envelope.decode())


def check_signature(
    what: str, artifact: Artifact, key: Path, files: Sequence[Path], claim: ClaimName, *, plain_http: bool
) -> Attestation:
    """The first statement with this claim that the key has signed about the release. Raises CommandError without one."""
    public, envelopes = _bytes(key), [_bytes(path) for path in files]
    if not envelopes:
        with registry(parse_reference(what), plain_http=plain_http) as remote:
            from agentrollouts.release.referrers import attached

            envelopes = attached(remote, package_of(artifact))
    refusals: list[str] = []
    for envelope in envelopes:
        try:
            found = check(envelope, artifact, public)
        except SignatureError as error:
            refusals.append(str(error))
            continue
        if found.claim == claim.value:
            return found
        refusals.append(f"it claims {found.claim}")
    reasons = f": {'; '.join(refusals)}" if refusals else ""
    raise CommandError(
        f"expected a statement that claims {claim.value}, signed with {key}; none of {len(envelopes)} is one{reasons}"
    )


def _predicate(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        value = read_json(_bytes(path))
    except CanonicalError as error:
        raise CommandError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise CommandError(f"{path}: expected a JSON object; got {type(value).__name__}")
    return value


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"can't read {path}: {error.strerror}") from error
