"""The only place that knows kopf: it watches, and every event goes to the store. No patches, no results, no finalizers."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import kopf

from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.core.manifests import AGENT, MANAGED_BY
from agentrollouts.core.proof_subject import PROOF
from agentrollouts.kube.connection import load_configuration
from agentrollouts.release.statement_map import ATTESTS
from agentrollouts.runtime.store import Resource

Observe = Callable[[Resource, str | None, Mapping[str, Any]], None]
OURS: tuple[Resource, ...] = ("rollouts", "agentversions", "approvalgates", "agentroutes")
IDENTITY: Any = "agent-rollouts"
"""For kopf's peering, which isn't used."""
SELECTORS: Mapping[Resource, str] = {
    "deployments": AGENT,
    "pods": AGENT,
    "jobs": PROOF,
    "services": ",".join(f"{key}={value}" for key, value in MANAGED_BY.items()),
    "configmaps": ATTESTS,
}
"""Label selectors, applied by the API server: what isn't ours never arrives."""
GROUPS: Mapping[Resource, tuple[str, str]] = {
    "deployments": ("apps", "v1"),
    "pods": ("", "v1"),
    "jobs": ("batch", "v1"),
    "services": ("", "v1"),
    "configmaps": ("", "v1"),
}


def registry(
    observe: Observe,
    *,
    kubeconfig: Path | None,
    start: Callable[[], None],
    stop: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """Handlers for one run: a registry of its own, so that nothing is shared between runs in one process."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.startup(registry=handlers)
    async def _startup(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)
        start()

    @kopf.on.cleanup(registry=handlers)
    async def _cleanup(**_: Any) -> None:
        await stop()

    @kopf.on.login(registry=handlers)
    async def _login(**_: Any) -> kopf.ConnectionInfo:
        return await connection_info(kubeconfig)

    for resource in OURS:
        _watch(handlers, observe, resource, (GROUP, API_VERSION))
    for resource, group in GROUPS.items():
        _watch(handlers, observe, resource, group)
    return handlers


def _watch(
    handlers: kopf.OperatorRegistry, observe: Observe, resource: Resource, group: tuple[str, str]
) -> None:
    @kopf.on.event(*group, resource, registry=handlers, id=resource)
    async def _event(event: kopf.RawEvent, **_: Any) -> None:
        observe(resource, event["type"], event["object"])


def configure(settings: kopf.OperatorSettings) -> None:
    """What kopf must not do, and how long a silent watch is believed."""
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 310
    settings.watching.connect_timeout = 30
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    for resource, selector in SELECTORS.items():
        group, version = GROUPS[resource]
        settings.watching.label_selectors[group, version, resource] = selector
    settings.queueing.idle_timeout = 1.0
    settings.queueing.worker_limit = 200
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.peering.standalone = True
    # The kinds are there before we start, and the right to watch definitions isn't ours.
    settings.scanning.disabled = True
    settings.persistence.finalizer = f"{GROUP}/unused"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=GROUP)
    for name in ("kopf.objects", "kopf.activities"):
        logging.getLogger(name).setLevel(logging.WARNING)  # it tells of every event otherwise


async def connection_info(kubeconfig: Path | None) -> kopf.ConnectionInfo:
    """The same connection as our own client's: one reader of kubeconfig files and rotating tokens."""
    configuration = await load_configuration(kubeconfig)
    settings: Mapping[str, Any] = await configuration.auth_settings()
    bearer = next((auth["value"] for auth in settings.values() if auth["value"]), "")
    scheme, _, token = bearer.partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert or None,
        insecure=not configuration.verify_ssl,
        scheme=scheme if token else None,
        token=token or None,
        certificate_path=configuration.cert_file or None,
        private_key_path=configuration.key_file or None,
    )


async def watch(handlers: kopf.OperatorRegistry, *, namespaces: tuple[str, ...], stop: Any) -> None:
    """Watch until ``stop`` is set, a signal comes, or a watch breaks for good."""
    where: dict[str, Any] = {"namespaces": namespaces} if namespaces else {"clusterwide": True}
    # NB: an identity of its own would be made of the user's name, which a container may not have.
    await kopf.operator(registry=handlers, standalone=True, identity=IDENTITY, stop_flag=stop, **where)
