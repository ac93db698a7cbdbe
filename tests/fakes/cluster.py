"""A cluster in memory: objects with resource versions, watches that can lag, and writes that fail where a test says so."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agentrollouts.ports import ConflictError, GoneError, Reference

Object = dict[str, Any]
RESOURCE = {
    "Rollout": "rollouts",
    "AgentVersion": "agentversions",
    "ApprovalGate": "approvalgates",
    "AgentRoute": "agentroutes",
    "Deployment": "deployments",
    "Pod": "pods",
    "Job": "jobs",
    "Service": "services",
    "ConfigMap": "configmaps",
}
ID = tuple[str, str, str]


@dataclass
class FakeCluster:
    """Implements the runtime's Access. Events go to ``observers``, at once or when :meth:`deliver` is called."""

    objects: dict[ID, Object] = field(default_factory=dict)
    observers: list[Callable[[str, str | None, Mapping[str, Any]], None]] = field(default_factory=list)
    lagging: bool = False
    writes: list[str] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    fail: Callable[[int, str], Exception | None] = lambda number, what: None
    """Called before each write with its number and description; what it returns is raised instead of writing."""
    fail_after: Callable[[int, str], Exception | None] = lambda number, what: None
    """The same after the write: it happened, and nobody knows."""
    reads: list[str] = field(default_factory=list)
    """Objects that were asked for by name."""
    fail_reading: Callable[[str], Exception | None] = lambda name: None
    """Called before each of these reads with the object's name; what it returns is raised instead."""
    policies: bool = True
    _version: int = 100
    _waiting: list[tuple[str, str, Object]] = field(default_factory=list)

    # What people and other controllers do.

    def put(self, body: Mapping[str, Any]) -> Object:
        """Create or replace an object as somebody else would; its status stays."""
        body = copy.deepcopy(dict(body))
        old = self.objects.get(_id(body))
        if old is not None and "status" not in body and "status" in old:
            body["status"] = old["status"]
        return self._store(body)

    def edit(self, kind: str, name: str, change: Callable[[Object], None], namespace: str = "shop") -> None:
        """Change an object in place."""
        body = copy.deepcopy(self.objects[kind, namespace, name])
        change(body)
        self._store(body)

    def annotate(self, kind: str, name: str, namespace: str = "shop", **notes: str) -> None:
        """What ``kubectl annotate`` does, with the prefix added."""

        def change(body: Object) -> None:
            known = body["metadata"].setdefault("annotations", {})
            known.update({f"agentrollouts.io/{key.replace('_', '-')}": value for key, value in notes.items()})

        self.edit(kind, name, change, namespace)

    def remove(self, kind: str, name: str, namespace: str = "shop") -> None:
        """Delete an object, and what it owns."""
        gone = self.objects.pop((kind, namespace, name))
        self._tell("DELETED", gone)
        for key, body in list(self.objects.items()):
            owners = body["metadata"].get("ownerReferences") or ()
            if any(owner["uid"] == gone["metadata"]["uid"] for owner in owners):
                self.remove(key[0], key[2], key[1])

    def get(self, kind: str, name: str, namespace: str = "shop") -> Object:
        """The object as it is."""
        return self.objects[kind, namespace, name]

    def of(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        return [body for (its, _, _), body in self.objects.items() if its == kind]

    def run_pods(self, *, broken: Iterable[str] = ()) -> None:
        """Play the Deployment controller and the kubelet: all pods ready at once, but those of broken Deployments."""
        for body in self.of("Deployment"):
            name, replicas = body["metadata"]["name"], body["spec"]["replicas"]
            status = {
                "replicas": replicas,
                "readyReplicas": 0 if name in broken else replicas,
                "observedGeneration": body["metadata"]["generation"],
            }
            if body.get("status") != status:
                self._store(copy.deepcopy(body) | {"status": status})

    def deliver(self, number: int | None = None) -> None:
        """Tell the watches what happened, the oldest first."""
        due, self._waiting = self._waiting[:number], self._waiting[number:] if number is not None else []
        for resource, kind, body in due:
            for observer in self.observers:
                observer(resource, kind, copy.deepcopy(body))

    # The port.

    async def create_route(self, reference: Reference, spec: Mapping[str, Any], *, owner: Reference) -> None:
        body = {
            "apiVersion": reference.api_version,
            "kind": reference.kind,
            "metadata": {
                "name": reference.name,
                "namespace": reference.namespace,
                "ownerReferences": [{"kind": owner.kind, "name": owner.name, "uid": owner.uid}],
            },
            "spec": dict(spec),
        }
        self._write("create", body, lambda: self._create(body))

    async def replace_route(
        self, reference: Reference, spec: Mapping[str, Any], *, if_version: str, urgent: bool = False
    ) -> None:
        def write() -> None:
            old = self._existing(reference)
            if old["metadata"]["resourceVersion"] != if_version:
                raise ConflictError(f"{reference.name} has another resource version")
            self._store(copy.deepcopy(old) | {"spec": copy.deepcopy(dict(spec))})

        self._write("urgent replace" if urgent else "replace", _body(reference), write)

    async def patch_status(self, reference: Reference, status: Mapping[str, Any]) -> None:
        def write() -> None:
            self._store(copy.deepcopy(self._existing(reference)) | {"status": copy.deepcopy(dict(status))})

        self._write("status of", _body(reference), write)

    async def apply(self, manifest: Mapping[str, Any]) -> None:
        body = copy.deepcopy(dict(manifest))

        def write() -> None:
            old = self.objects.get(_id(body))
            self._store((old or {}) | body)

        self._write("apply", body, write)

    async def create(self, manifest: Mapping[str, Any]) -> None:
        body = copy.deepcopy(dict(manifest))
        self._write("create", body, lambda: self._create(body))

    async def delete(self, reference: Reference) -> None:
        def write() -> None:
            self._existing(reference)
            self.remove(reference.kind, reference.name, reference.namespace)

        self._write("delete", _body(reference), write)

    async def emit(
        self, regarding: Reference, *, reason: str, message: str, type: Literal["Normal", "Warning"]
    ) -> None:
        self.events.append((reason, message))

    async def find(self, reference: Reference) -> Mapping[str, Any] | None:
        self.reads.append(f"{reference.kind} {reference.name}")
        error = self.fail_reading(reference.name)
        if error is not None:
            raise error
        return copy.deepcopy(self.objects.get((reference.kind, reference.namespace, reference.name)))

    async def list_objects(
        self, api_version: str, kind: str, *, namespace: str = "", selector: str = ""
    ) -> list[Mapping[str, Any]]:
        return [
            copy.deepcopy(body)
            for (its, home, _), body in self.objects.items()
            if its == kind and namespace in ("", home) and _selected(body, selector)
        ]

    async def installed_policies(self, names: Iterable[str]) -> bool:
        return self.policies

    def _write(self, verb: str, body: Mapping[str, Any], write: Callable[[], None]) -> None:
        what = f"{verb} {body['kind']} {body['metadata']['name']}"
        number = len(self.writes)
        error = self.fail(number, what)
        if error is not None:
            raise error
        write()
        self.writes.append(what)
        error = self.fail_after(number, what)
        if error is not None:
            raise error

    def _create(self, body: Object) -> None:
        if _id(body) in self.objects:
            raise ConflictError(f"{body['kind']} {body['metadata']['name']} exists")
        self._store(copy.deepcopy(body))

    def _existing(self, reference: Reference) -> Object:
        found = self.objects.get((reference.kind, reference.namespace, reference.name))
        if found is None:
            raise GoneError(f"{reference.kind} {reference.name} doesn't exist")
        return found

    def _store(self, body: Object) -> Object:
        key = _id(body)
        old = self.objects.get(key)
        body["metadata"] = meta = dict(body["metadata"])
        meta["uid"] = old["metadata"]["uid"] if old else meta.get("uid") or uuid.uuid4().hex
        meta["generation"] = old["metadata"]["generation"] if old else 1
        if old is not None:
            meta["resourceVersion"] = old["metadata"]["resourceVersion"]
            if body.get("spec") != old.get("spec"):
                meta["generation"] += 1
            elif body == old:
                return old
        self._version += 1
        meta["resourceVersion"] = str(self._version)
        self.objects[key] = body
        self._tell("MODIFIED" if old else "ADDED", body)
        return body

    def _tell(self, kind: str, body: Object) -> None:
        labels = body["metadata"].get("labels") or {}
        if body["kind"] == "Service" and labels.get("app.kubernetes.io/managed-by") != "agent-rollouts":
            return
        self._waiting.append((RESOURCE[body["kind"]], kind, copy.deepcopy(body)))
        if not self.lagging:
            self.deliver()


def _id(body: Mapping[str, Any]) -> ID:
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]


def _body(reference: Reference) -> Object:
    return {"kind": reference.kind, "metadata": {"name": reference.name, "namespace": reference.namespace}}


def _selected(body: Mapping[str, Any], selector: str) -> bool:
    labels = body["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        key, _, value = term.partition("=")
        if key not in labels or (value and labels[key] != value):
            return False
    return True
