"""What the operator knows of the cluster: fed by watches, read by ticks, O(1) an event.

Nothing here waits or fails: an event that can't be understood becomes an object with a ``problem``. Each change wakes
exactly the keys it matters to; what we wrote ourselves wakes nobody when it comes back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from agentrollouts.api.scalars import short_digest
from agentrollouts.core.routing import service_name
from agentrollouts.ports import Key
from agentrollouts.runtime import children, jobs, views
from agentrollouts.runtime.objects import RESOURCES, Objects, Resource
from agentrollouts.runtime.statements import StatementObject
from agentrollouts.runtime.views import Place, Raw

__all__ = ["RESOURCES", "Resource", "Store"]

_log = logging.getLogger(__name__)


class Store(Objects):
    """The objects, kept up to date. ``wake`` is told of every key to look at."""

    def __init__(
        self, wake: Callable[[Key], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(wake, monotonic=monotonic)
        self._changed: Mapping[Resource, Callable[[Any, Any], None]] = {
            "rollouts": self._rollouts,
            "agentversions": self._agentversions,
            "approvalgates": self._approvalgates,
            "agentroutes": self._agentroutes,
            "deployments": self._deployments,
            "pods": self._pods,
            "jobs": self._jobs,
            "services": self._services,
            "configmaps": self._statements,
        }

    def observe(self, resource: Resource, kind: str | None, raw: Raw) -> None:
        """Take in one watch event. ``kind`` is its type, None for an item of a list. Never raises."""
        try:
            self._take(resource, kind, raw)
        except Exception:  # noqa: BLE001
            # NB: an exception here would end in kopf's log and nowhere else, and the object would stay as it was.
            _log.exception("an event of %s can't be understood: %.500r", resource, raw)

    def _take(self, resource: Resource, kind: str | None, raw: Raw) -> None:
        shelf = self._shelves[resource]
        if kind == "DELETED":
            meta = views.meta_of(raw)
            gone = shelf.drop(meta.place, uid=meta.uid)
            if gone is not None:
                self._changed[resource](gone, None)
            return
        change = shelf.put(raw)
        if change is not None:
            self._changed[resource](*change)

    def sweep(self, resource: Resource, before: Mapping[Place, str], listed: Iterable[Raw]) -> int:
        """Bring a kind up to date with a list, whatever the watch missed; how many objects were wrong.

        ``before`` is :meth:`versions_of` from before the list was asked for: an object that has the same resource version
        still, and isn't in the later list, must be gone. An object that isn't here isn't added, for it may have been
        deleted since; that is the watch's to tell.
        """
        shelf = self._shelves[resource]
        items = {views.meta_of(raw).place: raw for raw in listed}
        wrong = 0
        for place, version in before.items():
            item = shelf.get(place)
            if item is None or item.meta.resource_version != version:
                continue
            raw = items.get(place)
            if raw is None:
                shelf.drop(place)
                self._changed[resource](item, None)
            elif views.meta_of(raw).resource_version != version and item.meta.uid in (
                "",
                raw["metadata"]["uid"],
            ):
                self.observe(resource, "MODIFIED", raw)
            else:
                continue
            wrong += 1
        return wrong

    def heard(self, reports: Mapping[Place, str]) -> None:
        """Take in what the pods say they loaded, all of them at once."""
        before, self.reported = self.reported, reports
        turned = {place for place in {*before, *reports} if before.get(place) != reports.get(place)}
        for pod in [item for place in turned if (item := self.pods.get(place)) is not None]:
            self._pods(pod, pod)

    # What each change means.

    def _rollouts(self, old: views.RolloutObject | None, new: views.RolloutObject | None) -> None:
        item = new or old
        assert item is not None
        place = item.meta.place
        if new is None:
            self.written.forget(("rollouts", place))
        else:
            status = self.written.newest(("rollouts", place), new.meta.uid, new.status)
            if status is not new.status:
                new = replace(new, status=status)
                self.rollouts.keep(new)
            if old is not None and _rollout_face(old) == _rollout_face(new) and old.status == new.status:
                return
        self._wake(Key("Rollout", *place))
        self._wake_versions(place.namespace, place.name)

    def _agentversions(self, old: views.VersionObject | None, new: views.VersionObject | None) -> None:
        item = new or old
        assert item is not None
        place = item.meta.place
        self._workloads.pop(place, None)
        if new is None:
            self.written.forget(("agentversions", place))
        else:
            status = self.written.newest(("agentversions", place), new.meta.uid, new.status)
            if status is not new.status:
                new = replace(new, status=status)
                self.versions.keep(new)
            if old is not None and (old.meta.uid, old.meta.generation) == (new.meta.uid, new.meta.generation):
                if old.status != new.status:
                    self._wake(Key("AgentVersion", *place))
                return
        self._wake(Key("AgentVersion", *place))
        self._wake(Key("Rollout", place.namespace, item.agent))

    def _approvalgates(self, old: views.GateObject | None, new: views.GateObject | None) -> None:
        item = new or old
        assert item is not None
        if new is None:
            self.written.forget(("approvalgates", item.meta.place))
        elif new.view is not None:
            status = self.written.newest(("approvalgates", new.meta.place), new.meta.uid, new.view.status)
            if status is not new.view.status:
                new = replace(new, view=replace(new.view, status=status))
                self.gates.keep(new)
            if old is not None and old.view == new.view and old.meta.uid == new.meta.uid:
                return
        self._wake(Key("Rollout", item.meta.place.namespace, item.agent))

    def _agentroutes(self, old: views.RouteObject | None, new: views.RouteObject | None) -> None:
        item = new or old
        assert item is not None
        place = item.meta.place
        if new is None:
            self.ports.free(place)
        else:
            self.ports.seen(place, new.port)
            if old is not None and old.spec == new.spec and old.problem == new.problem:
                return
        self._wake(Key("Rollout", *place))
        self._wake_versions(*place)

    def _deployments(
        self, old: children.DeploymentObject | None, new: children.DeploymentObject | None
    ) -> None:
        item = new or old
        assert item is not None
        place = item.meta.place
        if new is None or (old is not None and old.meta.uid != new.meta.uid):
            self._generations.pop(place, None)
        if new is not None and new.applied:
            self._generations.setdefault(place, new.meta.generation)
        namespace = place.namespace
        for agent in {item.agent, old.agent if old else item.agent}:
            for version in list(self.versions.of((namespace, agent)).values()):
                ref = version.spec.deployment_ref if version.spec else None
                if place.name == (ref.name if ref else service_name(version.agent, version.version)):
                    if old is None or new is None or _deployment_face(old) != _deployment_face(new):
                        self._wake(Key("AgentVersion", *version.meta.place))
                    self._refresh(version)

    def _pods(self, old: children.PodObject | None, new: children.PodObject | None) -> None:
        item = new or old
        assert item is not None
        if item.job:
            if old is None or new is None or (old.ended, old.trouble) != (new.ended, new.trouble):
                self._wake(Key("Rollout", item.meta.place.namespace, item.agent))
            return
        version = self.versions.get(Place(item.meta.place.namespace, f"{item.agent}-{item.version}"))
        if version is not None:
            self._refresh(version)

    def _jobs(self, old: jobs.JobObject | None, new: jobs.JobObject | None) -> None:
        item = new or old
        assert item is not None
        if old is None or new is None or old.face != new.face:
            self._wake(Key("Rollout", *item.rollout))

    def _services(self, old: children.ServiceObject | None, new: children.ServiceObject | None) -> None:
        item = new or old
        assert item is not None
        if old is not None and new is not None and old.shape == new.shape:
            return
        if item.rollout is not None:
            self._wake(Key("Rollout", *item.rollout))
        if item.version is not None:
            self._wake(Key("AgentVersion", *item.version))

    def _statements(self, old: StatementObject | None, new: StatementObject | None) -> None:
        """Somebody vouches for an artifact, or no longer does: its versions may start now, or may not."""
        said = [(item.artifact, item.envelopes) for item in (old, new) if item is not None]
        if len(said) == 2 and said[0] == said[1]:
            return
        for item in filter(None, (old, new)):
            for place, version in list(self.versions.items.items()):
                if (place.namespace, short_digest(version.digest)) == (
                    item.meta.place.namespace,
                    item.artifact,
                ):
                    self._wake(Key("AgentVersion", *place))
                    self._wake(Key("Rollout", place.namespace, version.agent))

    def _refresh(self, version: views.VersionObject) -> None:
        place = version.meta.place
        before, after = self._workloads.get(place), self._derived(version)
        self._workloads[place] = after
        if before != after:
            self._wake(Key("AgentVersion", *place))
            self._wake(Key("Rollout", place.namespace, version.agent))


def _rollout_face(item: views.RolloutObject) -> object:
    meta = item.meta
    return meta.uid, meta.generation, meta.deleting, item.requests, item.problem, item.lost


def _deployment_face(item: children.DeploymentObject) -> object:
    return item.meta.uid, item.meta.generation, item.applied, item.pods, item.owner
