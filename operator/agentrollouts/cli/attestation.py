"""The verb `attestation`: the signed statement of a proof before traffic, out of its Job's log, for whoever asks for one elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from agentrollouts.api.before_traffic import ProofStatus
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.cli.artifacts import as_sentences, as_yaml
from agentrollouts.cli.errors import CommandError
from agentrollouts.cli.options import Agent, Context, Kubeconfig, Namespace, Output
from agentrollouts.cli.session import Object, Session, Target, session
from agentrollouts.cli.terminal import dump
from agentrollouts.core.manifests import ARTIFACT, ROLLOUT_LABEL
from agentrollouts.core.proof_pod import CONTAINER
from agentrollouts.core.proof_subject import PROOF
from agentrollouts.release.attestation import Named, Unchecked, unchecked
from agentrollouts.release.canonical import sha256
from agentrollouts.release.statement_map import statement_map

_OF_JOB = "batch.kubernetes.io/controller-uid"
"""Label of a Job's pods."""
_KEPT = "a Job and its log are kept for a day"


@dataclass(frozen=True, slots=True)
class Proven:
    """A version and what is known of its proof: while it is the candidate, the Job's name and the digest of what it stated."""

    version: str
    digest: str
    job: str = ""
    statement: str = ""


def attestation_command(
    agent: Agent,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="Name of the entry of spec.beforeTraffic.")],
    *,
    configmap: Annotated[
        bool,
        typer.Option(
            "--configmap",
            help="Print it as an immutable ConfigMap, where another cluster's operator finds it.",
        ),
    ] = False,
    output: Output = None,
    namespace: Namespace = "",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:
    """Print the statement that an entry of spec.beforeTraffic signed: the candidate's, or without one the stable version's.

    It is about this version, and it is the one that the status knows; the signature is checked by whoever goes by it.
    """

    async def run() -> None:
        async with session(Target(kubeconfig, context, namespace)) as api:
            rollout = await api.rollout(agent)
            proven = proven_by(rollout, entry)
            job = await _job(api, rollout, entry, proven)
            envelope = envelope_in(await _log(api, job), entry)
        about = Named(f"{rollout['spec']['agent']}-{proven.version}", proven.digest)
        with as_sentences():
            found = unchecked(envelope.encode(), about)
            _is_the_one(found, proven)
            _print(envelope, found, about, agent=rollout["spec"]["agent"], configmap=configmap, output=output)
        typer.echo(_checked(found, about, proven), err=True)

    asyncio.run(run())


def proven_by(rollout: Object, entry: str) -> Proven:
    """Whose statement it is. Raises CommandError where there can't be a signed one."""
    status = RolloutStatus.model_validate(rollout.get("status") or {})
    agent = rollout["spec"]["agent"]
    names = [each["name"] for each in rollout["spec"].get("beforeTraffic") or ()]
    if entry not in names:
        there = f"it has {', '.join(names)}" if names else "it has none"
        raise CommandError(f"{agent} has no entry {entry} in spec.beforeTraffic; {there}")
    if status.candidate is not None:
        passed = _passed(status.candidate.proofs, entry, status.candidate.version)
        return Proven(
            status.candidate.version, status.candidate.digest, passed.job, passed.statement_digest or ""
        )
    if status.stable is None:
        raise CommandError(f"{agent} has no version yet that could have proven anything")
    return Proven(status.stable.version, status.stable.digest)


def envelope_in(log: str, entry: str) -> str:
    """The envelope in the log of a Job. Raises CommandError where there is none."""
    # NB: not splitlines(), for which a line separator in an answer ends a line, too.
    documents = (_document(line) for line in reversed(log.split("\n")) if line.startswith("{"))
    found = next((each for each in documents if "statement" in each), None)
    if found is None:
        raise CommandError(
            "the log has no line of JSON with a statement: its node keeps it no longer, or not as a whole"
        )
    if "envelope" not in found:
        raise CommandError(
            f"nothing was signed: give {entry} a key, as spec.beforeTraffic[].signing, before the version is tried;"
            " only a PASS is signed"
        )
    return str(found["envelope"])


def _passed(proofs: tuple[ProofStatus, ...], entry: str, version: str) -> ProofStatus:
    found = next((proof for proof in proofs if proof.name == entry), None)
    if found is None:
        raise CommandError(f"{entry} of {version} hasn't begun yet: the entries run one after the other")
    if found.verdict == "PENDING":
        raise CommandError(f"{entry} of {version} has no verdict yet: Job {found.job} runs")
    if found.verdict != "PASS":
        raise CommandError(
            f"{entry} of {version} came to {found.verdict}, and only a PASS is signed: {found.message}"
        )
    return found


async def _job(api: Session, rollout: Object, entry: str, proven: Proven) -> Object:
    """The Job that proved it. Of a stable version the status knows no name any more, so it is found by its labels."""
    if proven.job:
        job = await api.job(proven.job)
        if job is None:
            raise CommandError(f"Job {proven.job} is gone, and its log with it: {_KEPT}")
        return job
    labels = {
        ROLLOUT_LABEL: rollout["metadata"]["name"],
        PROOF: entry,
        "app.kubernetes.io/component": "proof",
    }
    ours = [job for job in await api.jobs(labels) if _is_about(job, rollout, proven.digest)]
    if not ours:
        raise CommandError(f"there is no Job of {entry} about {proven.version} ({proven.digest}): {_KEPT}")
    return max(ours, key=lambda job: str(job["metadata"]["creationTimestamp"]))


def _is_about(job: Object, rollout: Object, digest: str) -> bool:
    meta = job["metadata"]
    owners = [each["uid"] for each in meta.get("ownerReferences") or ()]
    return rollout["metadata"]["uid"] in owners and (meta.get("annotations") or {}).get(ARTIFACT) == digest


async def _log(api: Session, job: Object) -> str:
    """What the last of a Job's pods said: one that fell over without a word is made anew."""
    name = job["metadata"]["name"]
    pods = await api.pods({_OF_JOB: job["metadata"]["uid"]})
    if not pods:
        raise CommandError(f"Job {name} has no pod any more, and its log went with it")
    last = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    return await api.log(last["metadata"]["name"], CONTAINER)


def _document(line: str) -> Mapping[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_the_one(found: Unchecked, proven: Proven) -> None:
    digest = sha256(found.statement)
    if proven.statement and digest != proven.statement:
        raise CommandError(
            f"expected the statement {proven.statement}, by which the status has the verdict; the log has {digest}"
        )


def _print(
    envelope: str, found: Unchecked, about: Named, *, agent: str, configmap: bool, output: Output
) -> None:
    if configmap:
        manifest = statement_map(agent, about, found.claim, envelope.encode())
        typer.echo(as_yaml(manifest) if output is None else dump(manifest, output), nl=output is not None)
    else:
        typer.echo(envelope if output is None else dump(json.loads(envelope), output))


def _checked(found: Unchecked, about: Named, proven: Proven) -> str:
    known = (
        "the status has the same digest of it"
        if proven.statement
        else "the status has no digest to hold it against"
    )
    return f"{found.claim} of {about.name} {about.digest}, signed by {found.key_id}; {known}"
