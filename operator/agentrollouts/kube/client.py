"""The Cluster port on a real API server: each write is one request, and each is conditional or owned.

Routes are replaced only at the resource version they were read at, so the late write of a former leader loses. Status
and children are applied server-side: a field we no longer send disappears, and fields of others stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

from agentrollouts.kube.connection import APPLY, JSON_PATCH, Connection, Request
from agentrollouts.kube.events import EventRecorder
from agentrollouts.kube.policies import installed_policies
from agentrollouts.kube.resources import collection_path, object_path
from agentrollouts.ports import Reference

MANAGER = "agentrollouts"
"""Field manager of the objects the operator owns."""
STATUS_MANAGER = "agentrollouts-status"
"""Field manager of status: another one, so that applying a status never takes away what the spec's apply owns."""


class KubeCluster:
    """Implements :class:`agentrollouts.ports.Cluster`. Made inside the running event loop, closed with :meth:`close`."""

    def __init__(self, connection: Connection, *, events: EventRecorder | None = None) -> None:
        self._connection = connection
        self._events = events or EventRecorder(connection)

    @classmethod
    async def open(cls, kubeconfig: Path | None = None) -> KubeCluster:
        """Connect as the kubeconfig file says, or as the pod's service account without one."""
        return cls(await Connection.open(kubeconfig))

    @property
    def connection(self) -> Connection:
        """The connection, for the lease and for reads at start-up."""
        return self._connection

    async def close(self) -> None:
        """Send the events that wait, then close the connections."""
        await self._events.close()
        await self._connection.close()

    async def create_route(self, reference: Reference, spec: Mapping[str, Any], *, owner: Reference) -> None:
        """Create the AgentRoute, owned by its Rollout."""
        await self.create(
            {
                "apiVersion": reference.api_version,
                "kind": reference.kind,
                "metadata": {
                    "name": reference.name,
                    "namespace": reference.namespace,
                    "labels": {"app.kubernetes.io/managed-by": "agent-rollouts"},
                    "ownerReferences": [_owned_by(owner)],
                },
                "spec": spec,
            }
        )

    async def replace_route(
        self, reference: Reference, spec: Mapping[str, Any], *, if_version: str, urgent: bool = False
    ) -> None:
        """Replace the AgentRoute's spec in one request, if it still has that resource version."""
        # NB: the resource version is set, not tested: a failed `test` answers 422, a stale version answers 409.
        patch = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": if_version},
            {"op": "replace", "path": "/spec", "value": spec},
        ]
        request = Request("PATCH", _path_of(reference), patch, JSON_PATCH)
        await self._connection.send(request, lane="urgent" if urgent else "ordinary")

    async def patch_status(self, reference: Reference, status: Mapping[str, Any]) -> None:
        """Make the status exactly this one, as far as it is ours."""
        body = {
            "apiVersion": reference.api_version,
            "kind": reference.kind,
            "metadata": {"name": reference.name, "namespace": reference.namespace},
            "status": status,
        }
        await self._apply(f"{_path_of(reference)}/status", body, manager=STATUS_MANAGER)

    async def apply(self, manifest: Mapping[str, Any]) -> None:
        """Server-side apply of an object the operator owns."""
        await self._apply(_path_of(_reference_of(manifest)), manifest, manager=MANAGER)

    async def create(self, manifest: Mapping[str, Any]) -> None:
        """Create; ConflictError if it exists."""
        reference = _reference_of(manifest)
        path = collection_path(reference.api_version, reference.kind, namespace=reference.namespace)
        await self._connection.send(
            Request("POST", f"{path}?{urlencode({'fieldManager': MANAGER})}", manifest)
        )

    async def delete(self, reference: Reference) -> None:
        """Delete an object, and in the background what it owns. GoneError if it doesn't exist."""
        # NB: a Job's pods are left behind unless one says otherwise.
        query = urlencode({"propagationPolicy": "Background"})
        await self._connection.send(Request("DELETE", f"{_path_of(reference)}?{query}"))

    async def emit(
        self, regarding: Reference, *, reason: str, message: str, type: Literal["Normal", "Warning"]
    ) -> None:
        """Hand over an event; it is sent in the background."""
        self._events.record(regarding, reason=reason, message=message, type=type)

    async def installed_policies(self, names: Iterable[str]) -> bool:
        """Whether all the named validating admission policies are in force."""
        return await installed_policies(self._connection, names)

    async def find(self, reference: Reference) -> Mapping[str, Any] | None:
        """One object; None where it doesn't exist. Never used by ticks."""
        return await self._connection.find(Request("GET", _path_of(reference)))

    async def list_objects(
        self, api_version: str, kind: str, *, namespace: str = "", selector: str = "", page: int = 500
    ) -> list[Mapping[str, Any]]:
        """All objects of a kind (in one namespace or all), for the first picture at start-up; never used by ticks."""
        query = {"limit": str(page)} | ({"labelSelector": selector} if selector else {})
        items: list[Mapping[str, Any]] = []
        while True:
            path = collection_path(api_version, kind, namespace=namespace)
            found = await self._connection.send(Request("GET", f"{path}?{urlencode(query)}"))
            items.extend(found.get("items") or ())
            token = (found.get("metadata") or {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    async def _apply(self, path: str, body: Mapping[str, Any], *, manager: str) -> None:
        query = urlencode({"fieldManager": manager, "force": "true"})
        await self._connection.send(Request("PATCH", f"{path}?{query}", body, APPLY))


def _path_of(reference: Reference) -> str:
    return object_path(
        reference.api_version, reference.kind, namespace=reference.namespace, name=reference.name
    )


def _reference_of(manifest: Mapping[str, Any]) -> Reference:
    metadata = manifest["metadata"]
    return Reference(
        api_version=manifest["apiVersion"],
        kind=manifest["kind"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
    )


def _owned_by(owner: Reference) -> dict[str, Any]:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
    }
