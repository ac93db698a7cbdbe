"""A run of the improver on the cluster: a Job made from the chart's CronJob, as a person would begin one, and what it said at its end."""

from __future__ import annotations

import json
import time
from typing import Any

from hack.demo.kubectl import Kubectl, KubectlError

MODEL = "AGENT_ROLLOUTS_IMPROVER_MODEL"
_OF = "agentrollouts.io/rollout"
"""Annotation of the CronJob: whose improver it is."""


def cronjob(system: Kubectl, namespace: str, rollout: str) -> str:
    """The name of a Rollout's CronJob. ``system`` is in the namespace of the installation. Raises KubectlError without one."""
    for found in system.list("cronjobs"):
        if found["metadata"].get("annotations", {}).get(_OF) == f"{namespace}/{rollout}":
            return str(found["metadata"]["name"])
    raise KubectlError(
        f"expected a CronJob of the improver for {namespace}/{rollout}: is improver.enabled of the chart set?"
    )


def commands(name: str, job: str, model: str) -> tuple[str, str]:
    """What begins a run with another model, as a person types it in the namespace of the installation."""
    return (
        f"kubectl set env cronjob/{name} {MODEL}={model}",
        f"kubectl create job {job} --from=cronjob/{name}",
    )


def run(system: Kubectl, name: str, job: str, model: str, *, seconds: float = 240) -> dict[str, Any]:
    """Begin a run and wait for its end: the document that it printed.

    Raises:
        KubectlError: it didn't end in time, or printed no such document.
    """
    system.run("delete", "job", job, "--ignore-not-found")
    for line in commands(name, job, model):
        system.run(*line.split()[1:])
    deadline = time.monotonic() + seconds
    while not _ended(system.get("job", job)):
        if time.monotonic() > deadline:
            raise KubectlError(
                f"Job {job} didn't end within {seconds:.0f} s: kubectl describe job/{job} -n {system.namespace}"
            )
        time.sleep(0.5)
    return outcome_in(system.run("logs", f"job/{job}"), job)


def outcome_in(log: str, job: str) -> dict[str, Any]:
    """The last line of a run's log. Raises KubectlError where that is no outcome."""
    lines = log.strip().splitlines()
    try:
        said = json.loads(lines[-1])
        if isinstance(said, dict) and {"action", "reason", "message"} <= said.keys():
            return said
    except (IndexError, ValueError):
        pass
    raise KubectlError(
        f"expected Job {job} to end with its outcome as JSON; it said: {' '.join(lines[-3:]) or 'nothing'}"
    )


def _ended(job: dict[str, Any] | None) -> bool:
    status = (job or {}).get("status") or {}
    return any(
        each["type"] in ("Complete", "Failed") and each["status"] == "True"
        for each in status.get("conditions", ())
    )
