"""What one tick of an AgentVersion does: its Deployment, its Service and its status. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from agentrollouts.api.agentversion import AgentVersionSpec, AgentVersionStatus
from agentrollouts.api.conditions import Condition
from agentrollouts.core.conditions import condition
from agentrollouts.core.loaded import LOADED, MISMATCH, loaded_condition
from agentrollouts.core.manifests import (
    Named,
    deployment,
    http_port,
    selector,
    shape_of,
    stamp_of,
    version_service,
)
from agentrollouts.core.plan import Action, Apply, Emit, PatchVersionStatus, Plan
from agentrollouts.core.roles import Role, RolloutFacts, Standing, phase_of, seen_in, standing
from agentrollouts.core.routing import service_name
from agentrollouts.core.snapshot import Workload
from agentrollouts.core.task_ledger import TaskLedger
from agentrollouts.core.verification import UNVERIFIED, Statements, is_accepted, missing

IDLE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """The Deployment as it is. ``applied`` is the fingerprint of what we last applied, if it is ours."""

    replicas: int
    applied: str = ""
    drifted: bool = False
    """Somebody else changed it since."""
    pods: Mapping[str, str] | None = None
    """Its own selector."""
    owned_by: str = ""
    """Uid of the AgentVersion that owns it, if one does."""


@dataclass(frozen=True, slots=True)
class VersionCase:
    """One AgentVersion at one moment."""

    named: Named
    generation: int
    spec: AgentVersionSpec
    status: AgentVersionStatus
    digest: str
    now: datetime
    rollout: RolloutFacts | None = None
    deployment: DeploymentFacts | None = None
    service: str = ""
    """Shape of its Service as it is; empty without one."""
    workload: Workload | None = None
    problem: str = ""
    """Why the version can't be used, if it can't."""
    ledger: TaskLedger | None = None
    """Where its pods post finished tasks, if there is a place."""
    vouched: Statements = ()
    """What signed statements about it hold."""
    forbidden: str = ""
    """Why its pods may not even be made, if they may not."""


def digest_conflict(spec: AgentVersionSpec, digest: str, rollout: RolloutFacts | None) -> str:
    """Why this version isn't the one it once was; empty when it is. The stable one is compared where that is decided."""
    if rollout is None or (
        rollout.status.stable is not None and rollout.status.stable.version == spec.version
    ):
        return ""
    if rollout.status.candidate is not None and rollout.status.candidate.version == spec.version:
        return ""
    for entry in rollout.status.history:
        if entry.version == spec.version and entry.digest != digest:
            return (
                f"{spec.version} was {entry.digest} when it was {entry.outcome} and is {digest} now:"
                " give the new content a new version"
            )
    return ""


def problem_of(spec: AgentVersionSpec, found: DeploymentFacts | None, named: Named) -> str:
    """Why the pods of a version can't serve, as far as its spec and its Deployment tell."""
    if spec.deployment_ref is not None:
        if found is None:
            return (
                f"no Deployment {spec.deployment_ref.name} with the label agentrollouts.io/agent={spec.agent} is in"
                f" {named.namespace}; if it exists, label it:"
                f" kubectl label deployment {spec.deployment_ref.name} agentrollouts.io/agent={spec.agent}"
            )
        return ""
    if not http_port(spec):
        return "no container in spec.template has a port named http: that is where the agent is called"
    if found is not None and found.owned_by != named.uid:
        return (
            f"Deployment {service_name(spec.agent, spec.version)} exists and isn't this AgentVersion's;"
            " delete or rename it"
        )
    return ""


def plan_version(case: VersionCase) -> Plan:
    """Everything one tick of an AgentVersion does."""
    found = standing(case.spec.version, case.digest, case.rollout, case.now)
    problem = problem_of(case.spec, case.deployment, case.named) or case.forbidden or case.problem
    unusable = bool(problem_of(case.spec, case.deployment, case.named)) and case.spec.deployment_ref is None
    unsigned = withheld(case, found)
    if unsigned:
        found = replace(found, withheld=True)
    actions: list[Action] = (
        [] if unusable or case.forbidden else [*_deployment(case, found), *_service(case, found)]
    )
    status = _status(case, found, problem, unsigned)
    if _worth_telling(case, found, status):
        actions.append(PatchVersionStatus(status))
        actions.extend(_events(case, problem, unsigned))
    wait = found.until - case.now if found.until is not None else IDLE
    return Plan(tuple(actions), requeue_after=min(max(wait, timedelta(seconds=1)), IDLE))


def _worth_telling(case: VersionCase, found: Standing, status: AgentVersionStatus) -> bool:
    """Whether to write the status. That pods of a version out of use are going is told once, when they are gone."""
    pods = case.workload
    if status == case.status:
        return False
    leaving = (
        found.role is Role.UNUSED
        and case.spec.template is not None
        and (pods is not None and pods.desired + pods.ready > 0)
    )
    return not leaving or _use(status) != _use(case.status)


def _use(status: AgentVersionStatus) -> tuple[object, ...]:
    return status.observed_generation, status.artifact_digest, status.phase, status.share


def withheld(case: VersionCase, found: Standing) -> str:
    """Why no pod of the version may start, because nobody vouches for it; empty where it may. Pods with traffic stay."""
    rollout, version = case.rollout, case.spec.version
    if rollout is None or not found.runs or is_accepted(rollout.status, version, case.digest):
        return ""
    arms = rollout.route.arms if rollout.route is not None else ()
    if case.deployment is not None and any(arm.version == version and arm.share for arm in arms):
        return ""
    if found.role is Role.DRAINING:
        return ""
    return missing(rollout.spec.release.verify, case.vouched, version)


def wanted_replicas(case: VersionCase, found: Standing) -> int | None:
    """Pods the Deployment should have; None leaves it as it is."""
    if found.runs is None:
        return None
    return case.spec.replicas if found.runs else 0


def _deployment(case: VersionCase, found: Standing) -> tuple[Action, ...]:
    if case.spec.template is None:
        return ()
    replicas, live = wanted_replicas(case, found), case.deployment
    if live is None:
        return () if not replicas else (Apply(_manifest(case, replicas)),)
    manifest = _manifest(case, live.replicas if replicas is None else replicas)
    # NB: pods that serve nothing aren't made anew because a newer operator would write their template otherwise.
    changed = live.applied != stamp_of(manifest) and found.role in (Role.WANTED, Role.UNUSED)
    if live.replicas == manifest["spec"]["replicas"] and not live.drifted and not changed:
        return ()
    return (Apply(manifest),)


def _manifest(case: VersionCase, replicas: int) -> dict[str, Any]:
    return deployment(case.named, case.spec, digest=case.digest, replicas=replicas, ledger=case.ledger)


def _service(case: VersionCase, found: Standing) -> tuple[Action, ...]:
    if not found.runs:
        return ()
    pods = None
    if case.spec.deployment_ref is not None:
        if case.deployment is None or case.deployment.pods is None:
            return ()
        pods = case.deployment.pods
    manifest = version_service(case.named, case.spec, digest=case.digest, pods=pods)
    return () if case.service == shape_of(manifest["spec"]) else (Apply(manifest),)


def _status(case: VersionCase, found: Standing, problem: str, unsigned: str) -> AgentVersionStatus:
    pods = case.workload
    wanted = wanted_replicas(case, found)
    known = case.rollout is not None and seen_in(case.rollout.status, case.spec.version)
    arms = case.rollout.route.arms if case.rollout is not None and case.rollout.route is not None else ()
    chosen = (
        case.deployment.pods if case.deployment is not None and case.deployment.pods else selector(case.spec)
    )
    return case.status.model_copy(
        update={
            "observed_generation": case.generation,
            "phase": phase_of(found, case.status.phase, known=known),
            "artifact_digest": case.digest,
            "health": _health(pods, problem),
            "replicas": pods.desired if pods else 0,
            "ready_replicas": pods.ready if pods else 0,
            "selector": ",".join(f"{key}={value}" for key, value in sorted(chosen.items())),
            "share": sum(arm.share for arm in arms if arm.version == case.spec.version),
            "service": service_name(case.spec.agent, case.spec.version),
            "conditions": _conditions(case, found, problem, unsigned, wanted),
        }
    )


def _health(pods: Workload | None, problem: str) -> Literal["Unknown", "Healthy", "Unhealthy"]:
    if problem or (pods is not None and (pods.trouble or pods.loaded.mismatch)):
        return "Unhealthy"
    if pods is None or pods.desired == 0:
        return "Unknown"
    return "Healthy" if pods.ready >= pods.desired else "Unhealthy" if pods.unready_since else "Unknown"


def _conditions(
    case: VersionCase, found: Standing, problem: str, unsigned: str, wanted: int | None
) -> tuple[Condition, ...]:
    pods = case.workload
    at_size = (
        wanted is None or (pods.desired if pods else 0) == wanted or case.spec.deployment_ref is not None
    )
    all_ready = at_size and (pods is None or pods.ready >= pods.desired)
    trouble = pods.why(case.now) if pods else ""
    if problem:
        reason, message = "Unusable", problem
    elif unsigned:
        reason, message = UNVERIFIED, unsigned
    elif all_ready:
        reason, message = ("PodsReady" if found.runs else "NotInUse"), f"{found.role.value}"
    else:
        reason = "PodsNotReady"
        message = f"{pods.ready if pods else 0} of {wanted if wanted is not None else pods.desired if pods else 0} pods ready"
        message += f": {trouble}" if trouble else ""
    stalled = problem or unsigned
    rows = (
        ("Ready", not stalled and all_ready, message),
        ("Reconciling", not stalled and not all_ready, message),
        ("Stalled", bool(stalled), stalled),
    )
    usual = tuple(
        condition(
            kind,
            status=value,
            reason=reason,
            message=text if value or kind == "Ready" else "",
            generation=case.generation,
            now=case.now,
            before=case.status.conditions,
        )
        for kind, value, text in rows
    )
    return (*usual, loaded_condition(pods, case.digest, case.generation, case.now, case.status.conditions))


def _events(case: VersionCase, problem: str, unsigned: str) -> tuple[Action, ...]:
    """Only what a person must mend: that a version changed its phase is told by the Rollout's events already."""
    found: list[Action] = []
    stalled = problem or unsigned
    if stalled and not any(c.type == "Stalled" and c.message == stalled for c in case.status.conditions):
        found.append(Emit("Unusable" if problem else UNVERIFIED, stalled, "Warning"))
    mismatch = case.workload.loaded.mismatch if case.workload else ""
    if mismatch and not any(c.type == LOADED and c.status == "False" for c in case.status.conditions):
        found.append(Emit(MISMATCH, f"{case.digest} was promised; {mismatch}", "Warning"))
    return tuple(found)
