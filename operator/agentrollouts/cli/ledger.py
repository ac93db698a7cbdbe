"""The verbs `evidence` and `tasks`: what the task ledger has. They need its address and a token that may read."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from agentrollouts.cli import options
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.session import Target, session
from agentrollouts.token_file import NoTokenError, token_in

Ledger = Annotated[
    str,
    typer.Option(
        "--ledger", envvar="AGENT_ROLLOUTS_LEDGER_URL", help="Address of the task ledger.", show_default=False
    ),
]
TokenFile = Annotated[
    str,
    typer.Option(
        "--token-file",
        envvar="AGENT_ROLLOUTS_LEDGER_TOKEN_FILE",
        help="File with a token that may read.",
        show_default="none",
    ),
]


def evidence_command(
    agent: options.Agent,
    *,
    attempt: Annotated[int, typer.Option(min=0, help="Which attempt.", show_default="the newest")] = 0,
    ledger: Ledger = "",
    token_file: TokenFile = "",
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
) -> None:
    """Print the evidence of a rollback as JSON: samples, decision, difference of the artifacts, offending tasks."""
    where = _chosen(namespace, context, kubeconfig)
    place = f"/v1/evidence/{where}/{agent}"
    if not attempt:
        attempts = _get(ledger, token_file, place)["attempts"]
        if not attempts:
            raise CommandError(
                f"the ledger has no evidence of {agent} in namespace {where}: nothing was rolled back"
            )
        attempt = attempts[0]
    _print(_get(ledger, token_file, f"{place}/{attempt}"))


def tasks_command(
    agent: options.Agent,
    *,
    failures: Annotated[bool, typer.Option("--failures", help="Only what users met as failures.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many, the newest first.")] = 20,
    ledger: Ledger = "",
    token_file: TokenFile = "",
    namespace: options.Namespace = "",
    context: options.Context = "",
    kubeconfig: options.Kubeconfig = "",
) -> None:
    """Print an agent's newest tasks, each as a line of JSON."""
    kind = "failures" if failures else "tasks"
    where = _chosen(namespace, context, kubeconfig)
    for task in _get(ledger, token_file, f"/v1/{kind}", namespace=where, agent=agent, limit=limit)["tasks"]:
        typer.echo(json.dumps(task, ensure_ascii=False))


def _chosen(namespace: str, context: str, kubeconfig: str) -> str:
    """The namespace that was named, else that of the kubeconfig's context."""
    return namespace or asyncio.run(_namespace(Target(kubeconfig, context)))


async def _namespace(target: Target) -> str:
    async with session(target) as api:
        return api.namespace


def _print(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _get(ledger: str, token_file: str, path: str, **parameters: str | int) -> Any:
    """The ledger's answer. Raises CommandError with the ledger's own sentence where it has one."""
    import httpx

    if not ledger.startswith(("http://", "https://")):
        raise CommandError(
            "expected the address of the task ledger, such as http://localhost:8090 after `kubectl port-forward`; "
            f"got {ledger or 'none'}: name it with --ledger or $AGENT_ROLLOUTS_LEDGER_URL"
        )
    headers = {"authorization": f"Bearer {_token(token_file)}"} if token_file else {}
    try:
        answer = httpx.get(ledger.rstrip("/") + path, params=parameters, headers=headers, timeout=30)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandError(f"the task ledger at {ledger} can't be reached: {error}", passing=True) from error
    try:
        body = answer.json()
    except ValueError as error:
        raise CommandError(
            f"what answers at {ledger} is no task ledger (status {answer.status_code})"
        ) from error
    if answer.is_success:
        return body
    sentence = body.get("error") if isinstance(body, dict) else None
    hint = (
        ": name the file of one that may read with --token-file" if answer.status_code in (401, 403) else ""
    )
    raise CommandError(f"{sentence or f'the ledger answered {answer.status_code}'}{hint}")


def _token(path: str) -> str:
    try:
        return token_in(path)
    except NoTokenError as error:
        raise CommandError(str(error)) from error
