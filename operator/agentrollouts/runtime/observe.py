"""From the store to what the core judges: nothing is asked of the cluster here."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.authorship import beyond_a_prompt
from agentrollouts.core.evidence import Unavailable
from agentrollouts.core.gate_plan import gate_name
from agentrollouts.core.manifests import Named
from agentrollouts.core.proof_run import ProofRun
from agentrollouts.core.roles import RolloutFacts
from agentrollouts.core.routing import service_name
from agentrollouts.core.settle import settle
from agentrollouts.core.snapshot import (
    GateView,
    Identity,
    RouteView,
    Snapshot,
    Surroundings,
    VersionView,
    asked,
)
from agentrollouts.core.task_ledger import TaskLedger
from agentrollouts.core.verification import Statements
from agentrollouts.core.workloads import DeploymentFacts, VersionCase, digest_conflict, problem_of
from agentrollouts.release import attestation
from agentrollouts.runtime.jobs import run_of
from agentrollouts.runtime.statements import vouched
from agentrollouts.runtime.store import Store
from agentrollouts.runtime.views import Place, RolloutObject, VersionObject

NOT_READ = Unavailable("no candidate, so nothing was measured")


@dataclass(slots=True)
class World:
    """Facts about the operator itself; refreshed in the background."""

    epoch: int = 0
    policy_installed: bool = False
    require_policy: bool = True
    router_namespace: str = "agent-rollouts"
    ledger: TaskLedger | None = None
    job_image: str = ""


class VersionViews:
    """The views of each agent's versions, kept while everything they are made of is the very same.

    Between two events of the watches nothing of it changes, and a rollout is looked at hundreds of times.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Place, tuple[list[object], Mapping[str, VersionView]]] = {}

    def forget(self, place: Place) -> None:
        """The Rollout is gone."""
        self._known.pop(place, None)

    def of(self, place: Place, agent: str, facts: RolloutFacts) -> Mapping[str, VersionView]:
        """The views of an agent's versions, by semver."""
        items = list(self._store.versions.of((place.namespace, agent)).values())
        made_of: list[object] = [facts.status, facts.spec]
        for item in items:
            made_of += item, self._store.deployment_of(item), self._store.workload(item)
            made_of += self._store.statements_about(item)
        known = self._known.get(place)
        if known is not None and _same(known[0], made_of):
            return known[1]
        views = _versions(self._store, items, facts)
        self._known[place] = (made_of, views)
        return views


def _same(these: list[object], those: list[object]) -> bool:
    return len(these) == len(those) and all(map(operator.is_, these, those))


def rollout_snapshot(
    store: Store, views: VersionViews, world: World, item: RolloutObject, now: datetime
) -> Snapshot:
    """The snapshot of a Rollout whose spec is readable; its evidence is still to be read."""
    assert item.spec is not None
    place, spec = item.meta.place, item.spec
    route = store.routes.get(place)
    status = settle(spec, item.status, route.spec if route else None)
    facts = RolloutFacts(spec, status, route.spec if route else None)
    return Snapshot(
        identity=Identity(place.namespace, place.name, item.meta.uid, item.meta.generation),
        spec=spec,
        status=item.status,
        versions=views.of(place, spec.agent, facts),
        route=RouteView(route.spec, "" if route.unconfirmed else route.meta.resource_version)
        if route is not None and route.spec is not None
        else None,
        evidence=NOT_READ,
        now=now,
        gate=_gate(store, place.namespace, spec.agent, status),
        requests=item.requests,
        jobs=_jobs(store, item, now),
        surroundings=Surroundings(
            epoch=world.epoch,
            free_port=route.port if route is not None and route.port else store.ports.reserve(place),
            policy_installed=world.policy_installed,
            require_policy=world.require_policy,
            router_namespace=world.router_namespace,
            ledger=world.ledger is not None,
            ledger_url=world.ledger.url if world.ledger is not None else "",
            job_image=world.job_image,
        ),
    )


def _jobs(store: Store, item: RolloutObject, now: datetime) -> Mapping[str, ProofRun]:
    """The Jobs that belong to this very Rollout; one of the same name that was deleted and made again begins with none."""
    place = item.meta.place
    pods = store.pods.of((place.namespace, place.name, ""))
    return {
        found.meta.place.name: run_of(found, pods.values(), now)
        for found in store.jobs.of(place).values()
        if found.owner == item.meta.uid and not found.meta.deleting
    }


def listening(store: Store, item: RolloutObject) -> Mapping[str, str]:
    """Where the pods of this Rollout's Jobs under way tell how far they have come, by the Job's name."""
    place = item.meta.place
    pods = store.pods.of((place.namespace, place.name, ""))
    jobs = {
        found.meta.uid: found.meta.place.name
        for found in store.jobs.of(place).values()
        if found.owner == item.meta.uid and found.over is None and not found.meta.deleting
    }
    return {
        jobs[pod.job]: pod.listens
        for pod in pods.values()
        if pod.listens and pod.ended is None and pod.job in jobs
    }


def version_case(store: Store, world: World, item: VersionObject, now: datetime) -> VersionCase:
    """All about an AgentVersion whose spec is readable."""
    assert item.spec is not None
    facts = _facts(store, item)
    service = store.services.get(Place(item.meta.place.namespace, service_name(item.agent, item.version)))
    return VersionCase(
        named=_named(item),
        generation=item.meta.generation,
        spec=item.spec,
        status=item.status,
        digest=item.digest,
        now=now,
        rollout=facts,
        deployment=_deployment(store, item),
        service=service.shape if service is not None else "",
        workload=store.workload(item),
        problem=digest_conflict(item.spec, item.digest, facts),
        ledger=world.ledger,
        vouched=_vouched(store, item, facts),
        forbidden=_beyond(store, item, facts),
    )


def _facts(store: Store, item: VersionObject) -> RolloutFacts | None:
    """The Rollout of a version's agent, with the route's last decision in it; None when there is none to rely on."""
    place = Place(item.meta.place.namespace, item.agent)
    rollout, route = store.rollouts.get(place), store.routes.get(place)
    if rollout is None or rollout.spec is None or rollout.lost:
        return None
    spec = route.spec if route is not None else None
    status = settle(rollout.spec, rollout.status, spec)
    return RolloutFacts(rollout.spec, status, spec, asked(rollout.requests.retry, status.handled.retry))


def _versions(store: Store, items: Iterable[VersionObject], facts: RolloutFacts) -> Mapping[str, VersionView]:
    return {
        item.version: _view(store, item, facts) for item in items if item.version and not item.meta.deleting
    }


def _view(store: Store, item: VersionObject, facts: RolloutFacts) -> VersionView:
    spec = item.spec
    if spec is None:
        return VersionView(
            item.version, item.digest, 0, service_name(item.agent, item.version), problem=item.problem
        )
    problem = problem_of(spec, _deployment(store, item), _named(item)) or digest_conflict(
        spec, item.digest, facts
    )
    problem = problem or _beyond(store, item, facts)
    return VersionView(
        version=item.version,
        digest=item.digest,
        replicas=spec.replicas,
        service=service_name(item.agent, item.version),
        workload=store.workload(item),
        lineage=spec.lineage,
        parts=item.parts,
        release=spec.release,
        vouched=_vouched(store, item, facts),
        spec=spec,
        owned=spec.template is not None,
        problem=problem,
    )


def _vouched(store: Store, item: VersionObject, facts: RolloutFacts | None) -> Statements:
    verify = facts.spec.release.verify if facts is not None else None
    about = attestation.Named(f"{item.agent}-{item.version}", item.digest)
    return vouched(store.statements_about(item), about, verify)


def _beyond(store: Store, item: VersionObject, facts: RolloutFacts | None) -> str:
    """Why an agent may not have written this version; empty when it may."""
    assert item.spec is not None
    name = f"{item.agent}-{item.spec.lineage.parent}"
    parent = store.versions.get(Place(item.meta.place.namespace, name))
    return beyond_a_prompt(item.spec, parent.spec if parent else None, facts)


def _deployment(store: Store, item: VersionObject) -> DeploymentFacts | None:
    found = store.deployment_of(item)
    if found is None:
        return None
    return DeploymentFacts(
        replicas=found.replicas,
        applied=found.applied,
        drifted=store.drifted(found),
        pods=found.pods,
        owned_by=found.owner,
    )


def _named(item: VersionObject) -> Named:
    return Named(*item.meta.place, item.meta.uid)


def _gate(store: Store, namespace: str, agent: str, status: RolloutStatus) -> GateView | None:
    if status.candidate is None:
        return None
    name = gate_name(agent, status.candidate.version, status.candidate.attempt)
    found = store.gates.get(Place(namespace, name))
    return found.view if found is not None else None
