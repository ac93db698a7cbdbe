"""What the Job of an ``eval`` before traffic is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentrollouts.api.eval_proof import EvalSpec
from agentrollouts.api.proof_parts import ConfigMapKey
from agentrollouts.core.proof_pod import Work, fraction, path_of
from agentrollouts.core.proof_subject import Subject
from agentrollouts.core.snapshot import VersionView


def eval_work(spec: EvalSpec, subject: Subject, *, image: str) -> Work:
    """An evaluation asks the candidate's own Service, so no router and no share is needed."""
    return Work(
        words=["eval", *eval_arguments(spec, subject)],
        files=_mounted(spec),
        image=spec.image or image,
        account=spec.service_account_name,
        resources=spec.resources,
    )


def _mounted(spec: EvalSpec) -> Mapping[str, ConfigMapKey]:
    """Volume name to the ConfigMap's key in it."""
    found = {"dataset": spec.dataset}
    if spec.baseline is not None and spec.baseline.config_map is not None:
        found["baseline"] = ConfigMapKey(config_map=spec.baseline.config_map, key=str(spec.baseline.key))
    return found


def eval_arguments(spec: EvalSpec, subject: Subject) -> Sequence[str]:
    """The command line of an evaluation; it can be run by hand as it stands in the Job."""
    found = [
        f"--dataset={path_of('dataset', spec.dataset.key)}",
        f"--target={_url(subject, subject.candidate, spec)}",
        f"--agent={subject.agent}",
        f"--version={subject.candidate.version}",
        f"--artifact-digest={subject.digest}",
        f"--attempt={subject.attempt}",
        f"--minimum-score={fraction(spec.minimum_score)}",
        f"--maximum-regression={fraction(spec.maximum_regression)}",
        f"--on-unclear={spec.on_unclear.lower()}",
        f"--repeat={spec.repeat}",
        f"--concurrency={spec.concurrency}",
        f"--task-timeout={spec.task_timeout.total_seconds():.0f}",
    ]
    if spec.answer:
        found.append(f"--answer={spec.answer}")
    found.extend(f"--scorer={name}" for name in spec.scorers)
    if spec.baseline is not None and spec.baseline.config_map is not None:
        found.append(f"--baseline={path_of('baseline', str(spec.baseline.key))}")
    elif spec.baseline is not None and subject.stable is not None:
        found.append(f"--stable={_url(subject, subject.stable, spec)}")
        found.append(f"--stable-version={subject.stable.version}")
        found.append(f"--stable-digest={subject.stable.digest}")
    return found


def _url(subject: Subject, view: VersionView, spec: EvalSpec) -> str:
    return f"http://{view.service}.{subject.of.namespace}.svc{spec.path}"
