"""One connection with the user's own rights, and the few requests the verbs make."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from agentrollouts.api.base import API_VERSION, GROUP
from agentrollouts.cli.errors import CommandError, error_about
from agentrollouts.core.gate_plan import gate_name
from agentrollouts.ports import ConflictError, GoneError, TerminalError, TransientError

if TYPE_CHECKING:
    from agentrollouts.kube.connection import Connection

Object = Mapping[str, Any]
API = f"{GROUP}/{API_VERSION}"
MERGE = "application/merge-patch+json"
MANAGER = "agentrollout-cli"
FAILURES = (ConflictError, GoneError, TerminalError, TransientError)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the user wants to go; empty strings mean what kubectl would take."""

    kubeconfig: str = ""
    context: str = ""
    namespace: str = ""


def candidate_gate(rollout: Object) -> str:
    """Name of the gate the present candidate comes to, whether or not it is there already; empty without a candidate."""
    candidate = (rollout.get("status") or {}).get("candidate")
    if not candidate:
        return ""
    return gate_name(rollout["spec"]["agent"], candidate["version"], candidate.get("attempt", 1))


class Session:
    """Reads and annotates. Every failure is a CommandError."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace

    async def rollout(self, agent: str) -> Object:
        """The agent's Rollout; the error names those that exist."""
        found = await self._get("Rollout", agent)
        if found is not None:
            return found
        raise CommandError(
            f"there is no Rollout {agent} in namespace {self.namespace}; {await self._known_rollouts()}"
        )

    async def gate(self, name: str) -> Object | None:
        """The ApprovalGate of that name, if there is one."""
        return await self._get("ApprovalGate", name)

    async def gates(self) -> Sequence[Object]:
        """All gates of the namespace."""
        return await self._list("ApprovalGate", self.namespace)

    async def versions(self, agent: str) -> Sequence[Object]:
        """The agent's AgentVersions."""
        return await self._list("AgentVersion", self.namespace, fieldSelector=f"spec.agent={agent}")

    async def version(self, name: str) -> Object:
        """The AgentVersion of that name."""
        found = await self._get("AgentVersion", name)
        if found is None:
            raise CommandError(
                f"expected a release or an AgentVersion; there is no {name} here, and none in namespace {self.namespace}"
            )
        return found

    async def configmap(self, name: str) -> Object | None:
        """The ConfigMap of that name, if there is one."""
        return await self._get("ConfigMap", name, api="v1")

    async def job(self, name: str) -> Object | None:
        """The Job of that name, if there is one."""
        return await self._get("Job", name, api="batch/v1")

    async def jobs(self, labels: Mapping[str, str]) -> Sequence[Object]:
        """The Jobs of the namespace with these labels."""
        return await self._list("Job", self.namespace, api="batch/v1", labelSelector=_selector(labels))

    async def pods(self, labels: Mapping[str, str]) -> Sequence[Object]:
        """The pods of the namespace with these labels."""
        return await self._list("Pod", self.namespace, api="v1", labelSelector=_selector(labels))

    async def log(self, pod: str, container: str) -> str:
        """Everything a container of a pod said."""
        from agentrollouts.kube.connection import Request

        path = f"{self._path('Pod', pod, 'v1')}/log?{urlencode({'container': container})}"
        try:
            return await self._connection.text(Request("GET", path))
        except GoneError as error:
            raise CommandError(f"pod {pod} is gone, and its log with it") from error
        except FAILURES as error:
            raise error_about(error) from error

    async def rollouts(self, *, everywhere: bool = False) -> Sequence[Object]:
        """The Rollouts of the namespace, or of all."""
        return await self._list("Rollout", "" if everywhere else self.namespace)

    async def annotate(self, obj: Object, annotations: Mapping[str, str | None]) -> Object:
        """Set annotations of agentrollouts.io by their last part (None removes one), on the object as it was read."""
        patch = {
            "metadata": {
                "resourceVersion": obj["metadata"]["resourceVersion"],
                "annotations": {f"{GROUP}/{key}": value for key, value in annotations.items()},
            }
        }
        path = f"{self._path(obj['kind'], obj['metadata']['name'])}?{urlencode({'fieldManager': MANAGER})}"
        return await self._send("PATCH", path, patch, content_type=MERGE)

    async def user(self) -> str:
        """The name the API server knows the user by; empty if it won't say."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = await self._send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        except CommandError:
            return ""
        return str(answer.get("status", {}).get("userInfo", {}).get("username", ""))

    async def _known_rollouts(self) -> str:
        names = [item["metadata"]["name"] for item in await self.rollouts()]
        if names:
            return f"there is {', '.join(sorted(names))}"
        return "there is none at all; name another namespace with -n, or look everywhere with `agentrollout list -A`"

    async def _get(self, kind: str, name: str, *, api: str = API) -> Object | None:
        from agentrollouts.kube.connection import Request

        try:
            found = await self._connection.find(Request("GET", self._path(kind, name, api)))
        except FAILURES as error:
            raise error_about(error) from error
        return found and {"apiVersion": api, "kind": kind, **found}

    async def _list(self, kind: str, namespace: str, *, api: str = API, **query: str) -> Sequence[Object]:
        from agentrollouts.kube.resources import collection_path

        path = collection_path(api, kind, namespace=namespace)
        items: list[Object] = []
        while True:
            page = await self._send("GET", f"{path}?{urlencode({'limit': '500', **query})}")
            items.extend({"apiVersion": api, "kind": kind, **item} for item in page.get("items") or ())
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return items
            query["continue"] = following

    async def _send(
        self, method: Any, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> Object:
        from agentrollouts.kube.connection import Request

        try:
            return await self._connection.send(Request(method, path, body, content_type))
        except FAILURES as error:
            raise error_about(error) from error

    def _path(self, kind: str, name: str, api: str = API) -> str:
        from agentrollouts.kube.resources import object_path

        return object_path(api, kind, namespace=self.namespace, name=name)


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in labels.items())


@asynccontextmanager
async def session(target: Target) -> AsyncIterator[Session]:
    """A session for the time of one command. The client library is imported here: help and lint do without it."""
    from agentrollouts.kube.user import connect

    try:
        connection, namespace = await connect(kubeconfig=target.kubeconfig, context=target.context)
    except TerminalError as error:
        raise CommandError(
            f"no way to the cluster: {error}. Name a kubeconfig with --kubeconfig or $KUBECONFIG"
        ) from error
    try:
        yield Session(connection, target.namespace or namespace)
    finally:
        await connection.close()
