"""The verb `diff`: what exactly differs between two releases."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from agentrollouts.cli import versions
from agentrollouts.cli.artifacts import PlainHttp, What, as_sentences, find
from agentrollouts.cli.options import Context, Kubeconfig, Namespace
from agentrollouts.cli.session import Target
from agentrollouts.cli.versions import Side, in_cluster, sides
from agentrollouts.cli.world_options import JsonOutput
from agentrollouts.core.text_diff import bounded
from agentrollouts.release.diff import diff
from agentrollouts.release.diff_report import document, report


def diff_command(
    old: What,
    new: What,
    *,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=200,
            metavar="BYTES",
            help="At most so many; says what is left out.",
            show_default=False,
        ),
    ] = None,
    output: JsonOutput = None,
    plain_http: PlainHttp = False,
    kubeconfig: Kubeconfig = "",
    context: Context = "",
    namespace: Namespace = "",
) -> None:
    """What differs between two releases. What lets the agent do more comes first, marked with !.

    A name such as support-2.1.0 is an AgentVersion's in the cluster. Its texts are compared where its release is in a ConfigMap of the
    namespace, as `release configmap` makes it.
    """
    with as_sentences():
        if not (in_cluster(old) or in_cluster(new)):
            before, after = find(old, plain_http=plain_http), find(new, plain_http=plain_http)
        else:
            one, other = sides(old, new, Target(kubeconfig, context, namespace), plain_http=plain_http)
            if one.artifact is None or other.artifact is None:
                _as_specs_say(one, other, limit, as_json=output is not None)
                return
            before, after = one.artifact, other.artifact
    changes = diff(before, after)
    if output is not None:
        typer.echo(json.dumps(document(before, after, changes), indent=2, ensure_ascii=False))
        return
    typer.echo(report(before, after, changes, most=limit), nl=False)


def _as_specs_say(old: Side, new: Side, limit: int | None, *, as_json: bool) -> None:
    for side in (old, new):
        if side.missing:
            typer.echo(f"the texts of {side.version} can't be compared: {side.missing}", err=True)
    if as_json:
        typer.echo(json.dumps(versions.document(old, new), indent=2, ensure_ascii=False))
        return
    text = versions.told(old, new)
    typer.echo(text if limit is None else bounded(text, limit), nl=False)
