"""The Kubernetes API in a few plain requests, as any user the test likes to be."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml

from hack.apiserver import ApiServer

Object = dict[str, Any]
REPOSITORY = Path(__file__).parents[2]
DEADLINE_SECONDS = 20.0
OURS = "/apis/agentrollouts.io/v1alpha1"
_PLACES = {
    "Namespace": ("/api/v1", "namespaces"),
    "ConfigMap": ("/api/v1", "configmaps"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
    "Role": ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "AgentVersion": (OURS, "agentversions"),
    "Rollout": (OURS, "rollouts"),
    "ApprovalGate": (OURS, "approvalgates"),
    "AgentRoute": (OURS, "agentroutes"),
} | {
    kind: ("/apis/admissionregistration.k8s.io/v1", plural)
    for kind, plural in {
        "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
        "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
        "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
    }.items()
}
MERGE, JSON_PATCH, APPLY = (
    f"application/{kind}" for kind in ("merge-patch+json", "json-patch+json", "apply-patch+yaml")
)


class RefusedError(Exception):
    """The API server said no; the text is what a user of kubectl reads."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        body = response.json() if "json" in response.headers.get("content-type", "") else {}
        super().__init__(body.get("message", response.text))


def path_of(body: Object, *, with_name: bool = True) -> str:
    """The resource path of an object."""
    root, plural = _PLACES[body["kind"]]
    namespace = body["metadata"].get("namespace")
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{scope}/{plural}" + (f"/{body['metadata']['name']}" if with_name else "")


def wait_until(what: str, happened: Callable[[], bool]) -> None:
    """Polls until ``happened``; an AssertionError names what didn't come."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not happened():
        if time.monotonic() > end:
            raise AssertionError(f"waited {DEADLINE_SECONDS:g} s in vain for {what}")
        time.sleep(0.02)


@dataclass(frozen=True, slots=True)
class Api:
    """One user's view of the API."""

    client: httpx.Client
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    @contextmanager
    def to(cls, server: ApiServer) -> Iterator[Api]:
        """The API as the server's administrator."""
        trusted = ssl.create_default_context(cafile=str(server.authority))
        authorization = {"Authorization": f"Bearer {server.token}"}
        with httpx.Client(base_url=server.url, verify=trusted, headers=authorization, timeout=10) as client:
            yield cls(client)

    def as_user(self, name: str, *groups: str) -> Api:
        """The same API as somebody else."""
        others = [("Impersonate-Group", group) for group in (*groups, "system:authenticated")]
        return replace(self, headers=(("Impersonate-User", name), *others))

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """One request; raises RefusedError on any answer that isn't a success."""
        response = self.client.request(
            method,
            path,
            content=None if body is None else json.dumps(body),
            headers=[*self.headers, ("Content-Type", content_type), ("Accept", accept)],
            params={"fieldValidation": "Strict", **(query or {})} if method != "GET" else query,
        )
        if response.is_error:
            raise RefusedError(response)
        return response.json()

    def create(self, body: Object, *, dry_run: bool = False) -> Object:
        """The object as the server stored it, or would have."""
        query = {"dryRun": "All"} if dry_run else {}
        result: Object = self.request("POST", path_of(body, with_name=False), body, query=query)
        return result

    def get(self, body: Object) -> Object:
        """The object as it is now."""
        result: Object = self.request("GET", path_of(body))
        return result

    def patch(
        self, body: Object, change: object, *, subresource: str = "", content_type: str = MERGE
    ) -> Object:
        """The object after a patch."""
        path = path_of(body) + (f"/{subresource}" if subresource else "")
        result: Object = self.request("PATCH", path, change, content_type=content_type)
        return result

    def apply(self, body: Object, *, manager: str, subresource: str = "") -> Object:
        """The object after a server-side apply."""
        path = path_of(body) + (f"/{subresource}" if subresource else "")
        result: Object = self.request(
            "PATCH", path, body, content_type=APPLY, query={"fieldManager": manager, "force": "true"}
        )
        return result

    def delete(self, body: Object) -> None:
        """Deletes the object."""
        self.request("DELETE", path_of(body))

    def annotate(self, body: Object, **annotations: str | None) -> Object:
        """What ``kubectl annotate`` does: ``approved_by="x"`` is agentrollouts.io/approved-by=x, None removes it."""
        wanted = {f"agentrollouts.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        return self.patch(body, {"metadata": {"annotations": wanted}})

    def install_definitions(self) -> None:
        """Our CustomResourceDefinitions, established and served."""
        for body in definitions():
            self.apply(body, manager="test")
            wait_until(f"{body['metadata']['name']} established", partial(self._established, body))
        wait_until("all kinds served", lambda: {*_kinds(self.request("GET", OURS))} >= _defined())

    def _established(self, definition: Object) -> bool:
        conditions = self.get(definition).get("status", {}).get("conditions") or ()
        return {"type": "Established", "status": "True"}.items() <= {
            key: value for each in conditions if each["type"] == "Established" for key, value in each.items()
        }.items()


def _kinds(resources: Object) -> Sequence[str]:
    return [each["kind"] for each in resources["resources"]]


def _defined() -> set[str]:
    return {body["spec"]["names"]["kind"] for body in definitions()}


def definitions() -> Sequence[Object]:
    """The committed CustomResourceDefinitions."""
    return [yaml.safe_load(file.read_text()) for file in sorted((REPOSITORY / "crds").glob("*.yaml"))]
