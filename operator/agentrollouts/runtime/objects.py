"""All objects by kind, what is derived from them, and what we wrote ourselves as if it had been seen already."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

from agentrollouts.api.agentroute import AgentRouteSpec
from agentrollouts.api.agentversion import AgentVersionStatus
from agentrollouts.api.approvalgate import ApprovalGateStatus
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.api.scalars import short_digest
from agentrollouts.core.routing import service_name
from agentrollouts.core.snapshot import Workload
from agentrollouts.ports import Key
from agentrollouts.runtime import children, jobs, pods, views
from agentrollouts.runtime.portbook import PortBook
from agentrollouts.runtime.shelf import Shelf
from agentrollouts.runtime.statements import StatementObject, statement
from agentrollouts.runtime.views import Place, Raw
from agentrollouts.runtime.written import Written

Resource = Literal[
    "rollouts",
    "agentversions",
    "approvalgates",
    "agentroutes",
    "deployments",
    "pods",
    "jobs",
    "services",
    "configmaps",
]
RESOURCES: tuple[Resource, ...] = get_args(Resource)


class Objects:
    """All objects by kind. ``wake`` is told of every key to look at."""

    def __init__(
        self, wake: Callable[[Key], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._wake = wake
        self.written = Written(monotonic)
        self.ports = PortBook()
        self.rollouts = Shelf(views.rollout)
        self.versions = Shelf(views.version, group=lambda v: (v.meta.place.namespace, v.agent))
        self.gates = Shelf(views.gate)
        self.routes = Shelf(views.route)
        self.deployments = Shelf(children.deployment)
        self.pods = Shelf(children.pod, group=lambda p: (p.meta.place.namespace, p.agent, p.version))
        self.jobs = Shelf(jobs.job, group=lambda j: j.rollout)
        self.services = Shelf(children.service, group=lambda s: s.rollout)
        self.statements = Shelf(statement, group=lambda s: (s.meta.place.namespace, s.artifact))
        self.reported: Mapping[Place, str] = {}
        """By pod, the artifact digest that it says it loaded."""
        self._workloads: dict[Place, Workload | None] = {}
        self._generations: dict[Place, int] = {}
        self._shelves: Mapping[Resource, Shelf[Any]] = {
            "rollouts": self.rollouts,
            "agentversions": self.versions,
            "approvalgates": self.gates,
            "agentroutes": self.routes,
            "deployments": self.deployments,
            "pods": self.pods,
            "jobs": self.jobs,
            "services": self.services,
            "configmaps": self.statements,
        }

    def versions_of(self, resource: Resource, namespace: str = "") -> dict[Place, str]:
        """Resource version of each object, of one namespace or all."""
        return {
            place: item.meta.resource_version
            for place, item in self._shelves[resource].items.items()
            if namespace in ("", place.namespace)
        }

    def keys(self) -> list[Key]:
        """Every key there is to look after."""
        return [
            *(Key("Rollout", *place) for place in self.rollouts.items),
            *(Key("AgentVersion", *place) for place in self.versions.items),
        ]

    def workload(self, version: views.VersionObject) -> Workload | None:
        """How a version's pods are."""
        place = version.meta.place
        if place not in self._workloads:
            self._workloads[place] = self._derived(version)
        return self._workloads[place]

    def statements_about(self, version: views.VersionObject) -> Collection[StatementObject]:
        """The ConfigMaps that say they hold statements about a version's artifact."""
        return self.statements.of((version.meta.place.namespace, short_digest(version.digest))).values()

    def deployment_of(self, version: views.VersionObject) -> children.DeploymentObject | None:
        """The Deployment of a version: its own, or the one it names."""
        ref = version.spec.deployment_ref if version.spec else None
        name = ref.name if ref else service_name(version.agent, version.version)
        found = self.deployments.get(Place(version.meta.place.namespace, name))
        return None if found is None or found.agent != version.agent else found

    def drifted(self, found: children.DeploymentObject) -> bool:
        """Whether somebody else changed our Deployment since we last applied it."""
        return self._generations.get(found.meta.place, found.meta.generation) != found.meta.generation

    # What we wrote ourselves, as if it had been seen already. NB: the watch may tell of a write before its answer comes.

    def applying(self, place: Place) -> None:
        """A Deployment is about to be applied: its next generation is ours."""
        self._generations.pop(place, None)

    def wrote_rollout(self, place: Place, status: RolloutStatus) -> None:
        """The Rollout's status was written. Its versions' roles may be others now."""
        item = self.rollouts.get(place)
        if item is None or item.status == status:
            return
        self.written.note(("rollouts", place), item.meta.uid, status)
        self.rollouts.keep(replace(item, status=status))
        self._wake_versions(place.namespace, place.name)

    def wrote_version(self, place: Place, status: AgentVersionStatus) -> None:
        """The AgentVersion's status was written."""
        item = self.versions.get(place)
        if item is not None and item.status != status:
            self.written.note(("agentversions", place), item.meta.uid, status)
            self.versions.keep(replace(item, status=status))

    def wrote_gate(self, place: Place, status: ApprovalGateStatus) -> None:
        """The ApprovalGate's status was written."""
        item = self.gates.get(place)
        if item is not None and item.view is not None and item.view.status != status:
            self.written.note(("approvalgates", place), item.meta.uid, status)
            self.gates.keep(replace(item, view=replace(item.view, status=status)))

    def wrote_route(self, place: Place, spec: AgentRouteSpec, *, over: str | None) -> None:
        """The AgentRoute was written over the resource version ``over``; its new one comes with the watch."""
        item = self.routes.get(place)
        if (item.meta.resource_version if item is not None else None) != over:
            return  # what was heard meanwhile is this write, or newer
        meta = item.meta if item is not None else views.Meta(place, uid="", resource_version="0")
        self.routes.keep(views.RouteObject(meta, spec, spec.port, unconfirmed=True))
        self.ports.seen(place, spec.port)
        self._wake_versions(place.namespace, spec.agent)

    def wrote_service(self, manifest: Raw) -> None:
        """A Service was written."""
        written = children.service(manifest)
        item = self.services.get(written.meta.place)
        if item is None or item.shape != written.shape:
            meta = (
                item.meta
                if item is not None
                else views.Meta(written.meta.place, uid="", resource_version="0")
            )
            self.services.keep(replace(written, meta=meta))

    def _derived(self, version: views.VersionObject) -> Workload | None:
        living = self.pods.of((version.meta.place.namespace, version.agent, version.version))
        return pods.workload(
            self.deployment_of(version), living.values(), promised=version.digest, reported=self.reported
        )

    def _wake_versions(self, namespace: str, agent: str) -> None:
        for place in self.versions.of((namespace, agent)):
            self._wake(Key("AgentVersion", *place))
