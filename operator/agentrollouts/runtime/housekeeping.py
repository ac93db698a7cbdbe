"""What happens beside the ticks: the first picture, sweeping up missed deletions, and looking whether policies are there.

kopf lists again after a broken watch, but tells nothing of what is gone by then, and has no hook for "the first list is
complete". So the first picture is our own list, read before kopf starts: a version missing from it doesn't exist. What
kopf hears afterwards can only be newer. And now and then we list again, and remove what the list no longer has.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.ports import GoneError, Key, TerminalError, TransientError
from agentrollouts.runtime.access import Access
from agentrollouts.runtime.loading import LOADING_SECONDS
from agentrollouts.runtime.observe import World
from agentrollouts.runtime.settings import Settings
from agentrollouts.runtime.store import RESOURCES, Resource, Store
from agentrollouts.runtime.telemetry import Telemetry
from agentrollouts.runtime.views import Place

SWEEP_SECONDS = 600.0
"""Between two sweeps; the first comes :data:`FIRST_SWEEP` seconds after the start, for what went away meanwhile."""
FIRST_SWEEP = 15.0
AFTER_RELIST = 5.0
"""Seconds from an item of a list that kopf read again to the sweep of its kind."""
POLICY_SECONDS = 60.0
RETRY_SECONDS = 2.0

KIND: Mapping[Resource, tuple[str, str]] = {
    "rollouts": (f"{GROUP}/{API_VERSION}", "Rollout"),
    "agentversions": (f"{GROUP}/{API_VERSION}", "AgentVersion"),
    "approvalgates": (f"{GROUP}/{API_VERSION}", "ApprovalGate"),
    "agentroutes": (f"{GROUP}/{API_VERSION}", "AgentRoute"),
    "deployments": ("apps/v1", "Deployment"),
    "pods": ("v1", "Pod"),
    "jobs": ("batch/v1", "Job"),
    "services": ("v1", "Service"),
    "configmaps": ("v1", "ConfigMap"),
}

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Housekeeping:
    """Reads at leisure, never in a tick's way."""

    cluster: Access
    store: Store
    world: World
    settings: Settings
    telemetry: Telemetry
    selectors: Mapping[Resource, str]
    wake: Callable[[Key], None]
    orphans: Callable[[], list[Place]]
    read_loaded: Callable[[], Awaitable[None]]
    _relisted: dict[Resource, float] = field(default_factory=dict)

    def relisted(self, resource: Resource) -> None:
        """A list was read again, or writes go on conflicting: something may have gone unnoticed."""
        self._relisted.setdefault(resource, asyncio.get_running_loop().time() + AFTER_RELIST)

    async def first_picture(self) -> None:
        """List everything, kind after kind, until it worked. Afterwards the store is complete."""
        for resource in RESOURCES:
            while True:
                try:
                    for namespace in self._namespaces(resource):
                        for raw in await self._list(resource, namespace):
                            self.store.observe(resource, None, raw)
                    break
                except GoneError as error:
                    _log.error("%s don't exist yet; install the definitions in crds/: %s", resource, error)
                except (TransientError, TerminalError) as error:
                    _log.warning("%s can't be listed yet: %s", resource, error)
                await asyncio.sleep(RETRY_SECONDS)
        await self._look_for_policies()
        for place in self.orphans():
            self.wake(Key("Rollout", *place))

    async def run(self) -> None:
        """What pods loaded, policies each minute while a gate waits, sweeps now and then, for ever."""
        loop = asyncio.get_running_loop()
        sweep_at, policies_at = loop.time() + FIRST_SWEEP, loop.time() + POLICY_SECONDS
        loaded_at = loop.time()
        while True:
            await asyncio.sleep(1.0)
            now = loop.time()
            due = {resource for resource, moment in self._relisted.items() if moment <= now}
            if now >= sweep_at:
                due, sweep_at = set(RESOURCES), now + SWEEP_SECONDS
            for resource in due:
                self._relisted.pop(resource, None)
                await self._sweep(resource)
            if now >= loaded_at:
                loaded_at = now + LOADING_SECONDS
                await self.read_loaded()
            if now >= policies_at and self._gates_wait():
                policies_at = now + POLICY_SECONDS
                await self._look_for_policies()

    async def _sweep(self, resource: Resource) -> None:
        for namespace in self._namespaces(resource):
            before = self.store.versions_of(resource, namespace)
            try:
                items = await self._list(resource, namespace)
            except (GoneError, TransientError, TerminalError) as error:
                _log.warning("%s can't be listed, nothing was swept: %s", resource, error)
                continue
            wrong = self.store.sweep(resource, before, items)
            if resource == "services" and not self._watched(namespace):
                for raw in items:
                    self.store.observe(resource, None, raw)
            if wrong:
                self.telemetry.swept.labels(resource).inc(wrong)
                _log.warning("%d changes of %s had gone unnoticed", wrong, resource)
        if resource in ("rollouts", "services"):
            for place in self.orphans():
                self.wake(Key("Rollout", *place))

    async def _list(self, resource: Resource, namespace: str) -> list[Mapping[str, Any]]:
        api_version, kind = KIND[resource]
        return await self.cluster.list_objects(
            api_version, kind, namespace=namespace, selector=self.selectors.get(resource, "")
        )

    def _gates_wait(self) -> bool:
        """Whether an approval may count soon; otherwise nobody needs to know who vouches for it."""
        views = (gate.view for gate in self.store.gates.items.values())
        return any(
            view is not None and view.status.phase in ("Pending", "Open", "Withdrawn") for view in views
        )

    async def _look_for_policies(self) -> None:
        try:
            self.world.policy_installed = await self.cluster.installed_policies(self.settings.policies)
        except (TransientError, TerminalError) as error:
            _log.warning("the admission policies can't be looked for, so it stays as it was: %s", error)

    def _namespaces(self, resource: Resource) -> tuple[str, ...]:
        """Where to list. The Services of routes are in the router's namespace, watched or not."""
        watched = self.settings.namespaces
        if not watched:
            return ("",)
        router = self.settings.router.namespace
        return (*watched, router) if resource == "services" and router not in watched else watched

    def _watched(self, namespace: str) -> bool:
        return not self.settings.namespaces or namespace in self.settings.namespaces
