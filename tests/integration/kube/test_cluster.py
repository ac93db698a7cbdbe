"""Every write of the Cluster port against a real API server: what it costs, what it leaves, what it raises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from agentrollouts.kube.client import MANAGER, STATUS_MANAGER, KubeCluster
from agentrollouts.kube.connection import Connection, Request
from agentrollouts.ports import ConflictError, GoneError, Reference, TerminalError
from hack.apiserver import ApiServer
from tests.integration.api import Api, Object

GROUP = "agentrollouts.io/v1alpha1"
ARM = {"cohort": "stable", "version": "1.0.0", "service": "support-1-0-0", "share": 10_000}
SPEC = {"agent": "support", "port": 10_017, "offset": 3_700, "sticky": {"header": "x-user-id"}, "arms": [ARM]}


class Counted(Connection):
    """A connection that remembers what was sent."""

    sent: list[Request]

    async def send(self, request: Request, **lane: Any) -> Any:
        self.sent.append(request)
        return await super().send(request, **lane)


@pytest_asyncio.fixture
async def connection(apiserver: ApiServer) -> AsyncIterator[Counted]:
    counted = await Counted.open(Path(apiserver.kubeconfig))
    counted.sent = []
    yield counted
    await counted.close()


@pytest_asyncio.fixture
async def cluster(connection: Counted) -> AsyncIterator[KubeCluster]:
    made = KubeCluster(connection)
    yield made
    await made.close()


def rollout(namespace: str) -> Object:
    spec = {"agent": "support", "version": "1.0.0"}
    return {
        "apiVersion": GROUP,
        "kind": "Rollout",
        "metadata": {"name": "support", "namespace": namespace},
        "spec": spec,
    }


def route(namespace: str) -> Object:
    return {
        "apiVersion": GROUP,
        "kind": "AgentRoute",
        "metadata": {"name": "support", "namespace": namespace},
    }


def reference(body: Object, *, uid: str = "") -> Reference:
    meta = body["metadata"]
    return Reference(body["apiVersion"], body["kind"], meta["namespace"], meta["name"], uid)


async def made_route(cluster: KubeCluster, admin: Api, namespace: str) -> Object:
    owner = admin.create(rollout(namespace))
    owned_by = reference(owner, uid=owner["metadata"]["uid"])
    await cluster.create_route(reference(route(namespace)), SPEC, owner=owned_by)
    return admin.get(route(namespace))


@pytest.mark.asyncio
async def test_a_route_is_created_once_and_owned_by_its_rollout(
    cluster: KubeCluster, admin: Api, namespace: str
) -> None:
    stored = await made_route(cluster, admin, namespace)
    (owner,) = stored["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Rollout", "support", True)
    assert stored["spec"]["sticky"] == {"header": "x-user-id"}
    with pytest.raises(ConflictError, match="already exists"):
        await cluster.create_route(reference(stored), SPEC, owner=reference(rollout(namespace), uid="1"))


@pytest.mark.asyncio
@pytest.mark.parametrize("urgent", [False, True])
async def test_replacing_a_route_is_one_request_and_leaves_nothing_of_the_old_spec(
    cluster: KubeCluster, connection: Counted, admin: Api, namespace: str, urgent: bool
) -> None:
    stored = await made_route(cluster, admin, namespace)
    connection.sent.clear()
    wanted = {**SPEC, "sticky": {"cookie": "uid"}, "epoch": 4}
    version = stored["metadata"]["resourceVersion"]
    await cluster.replace_route(reference(stored), wanted, if_version=version, urgent=urgent)
    assert len(connection.sent) == 1
    after = admin.get(stored)
    assert after["spec"]["sticky"] == {"cookie": "uid"}
    assert after["spec"]["epoch"] == 4
    assert after["metadata"]["ownerReferences"] == stored["metadata"]["ownerReferences"]


@pytest.mark.asyncio
async def test_a_stale_replace_conflicts_and_writes_nothing(
    cluster: KubeCluster, admin: Api, namespace: str
) -> None:
    stored = await made_route(cluster, admin, namespace)
    version = stored["metadata"]["resourceVersion"]
    await cluster.replace_route(reference(stored), {**SPEC, "epoch": 5}, if_version=version)
    with pytest.raises(ConflictError):
        await cluster.replace_route(reference(stored), {**SPEC, "epoch": 3}, if_version=version)
    assert admin.get(stored)["spec"]["epoch"] == 5


@pytest.mark.asyncio
async def test_what_the_schema_refuses_is_terminal_in_the_servers_words(
    cluster: KubeCluster, admin: Api, namespace: str
) -> None:
    stored = await made_route(cluster, admin, namespace)
    with pytest.raises(TerminalError, match=r"spec\.port"):
        await cluster.replace_route(
            reference(stored), {**SPEC, "port": 80}, if_version=stored["metadata"]["resourceVersion"]
        )


@pytest.mark.asyncio
async def test_a_deleted_route_is_gone(cluster: KubeCluster, admin: Api, namespace: str) -> None:
    stored = await made_route(cluster, admin, namespace)
    admin.delete(stored)
    version = stored["metadata"]["resourceVersion"]
    with pytest.raises(GoneError):
        await cluster.replace_route(reference(stored), SPEC, if_version=version)
    with pytest.raises(GoneError):
        await cluster.patch_status(reference(rollout(f"{namespace}-none")), {"phase": "Healthy"})
    with pytest.raises(GoneError):
        await cluster.create(rollout(f"{namespace}-none"))


@pytest.mark.asyncio
async def test_a_field_that_left_the_status_leaves_the_object(
    cluster: KubeCluster, admin: Api, namespace: str
) -> None:
    body = admin.create(rollout(namespace))
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Fine",
        "message": "",
        "lastTransitionTime": "2026-01-05T09:00:00Z",
    }
    other = {**condition, "type": "Stalled", "status": "False"}
    stall = {"message": "waits", "observedGeneration": 1, "conditions": [condition, other]}
    await cluster.patch_status(reference(body), stall)
    assert set(admin.get(body)["status"]) == set(stall)
    await cluster.patch_status(reference(body), {"observedGeneration": 2, "conditions": [condition]})
    after = admin.get(body)
    assert after["status"] == {"observedGeneration": 2, "conditions": [condition]}
    managers = {each["manager"] for each in after["metadata"]["managedFields"]}
    assert STATUS_MANAGER in managers
    assert after["spec"] == body["spec"]


@pytest.mark.asyncio
async def test_an_equal_status_writes_no_new_version(
    cluster: KubeCluster, admin: Api, namespace: str
) -> None:
    body = admin.create(rollout(namespace))
    await cluster.patch_status(reference(body), {"observedGeneration": 1})
    before = admin.get(body)["metadata"]["resourceVersion"]
    await cluster.patch_status(reference(body), {"observedGeneration": 1})
    assert admin.get(body)["metadata"]["resourceVersion"] == before


@pytest.mark.asyncio
async def test_apply_takes_its_fields_and_leaves_those_of_others(
    cluster: KubeCluster, connection: Counted, apiserver: ApiServer, namespace: str
) -> None:
    manifest: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "support", "namespace": namespace, "labels": {"mine": "1"}},
        "spec": {"type": "ExternalName", "externalName": "a.example"},
    }
    await cluster.apply(manifest)
    path = f"/api/v1/namespaces/{namespace}/services/support"
    theirs = [{"op": "add", "path": "/metadata/annotations", "value": {"theirs": "1"}}]
    await connection.send(Request("PATCH", path, theirs, "application/json-patch+json"))
    moved = {
        **manifest,
        "metadata": {"name": "support", "namespace": namespace},
        "spec": {"type": "ExternalName", "externalName": "b.example"},
    }
    await cluster.apply(moved)
    after = await connection.send(Request("GET", path))
    assert after["spec"]["externalName"] == "b.example"
    assert after["metadata"]["annotations"] == {"theirs": "1"}
    assert "labels" not in after["metadata"]
    assert MANAGER in {each["manager"] for each in after["metadata"]["managedFields"]}
    await cluster.delete(reference(manifest))
    with pytest.raises(GoneError):
        await cluster.delete(reference(manifest))


@pytest.mark.asyncio
async def test_events_belong_to_their_object_and_repeat_only_after_a_while(
    connection: Counted, admin: Api, namespace: str
) -> None:
    body = admin.create(rollout(namespace))
    about = reference(body, uid=body["metadata"]["uid"])
    cluster = KubeCluster(connection)
    for _ in range(3):
        await cluster.emit(about, reason="RolledBack", message="success 0.5 < 0.9", type="Warning")
    await cluster.emit(about, reason="RolledBack", message="x" * 5_000, type="Warning")
    await cluster._events.close()
    found = await cluster.list_objects("events.k8s.io/v1", "Event", namespace=namespace)
    assert sorted(len(event["note"]) for event in found) == [17, 1024]
    assert {event["regarding"]["uid"] for event in found} == {about.uid}
    older = await cluster.list_objects("v1", "Event", namespace=namespace)
    assert {event["involvedObject"]["name"] for event in older} == {"support"}


@pytest.mark.asyncio
async def test_kubectl_describe_shows_the_events(
    cluster: KubeCluster, apiserver: ApiServer, admin: Api, namespace: str
) -> None:
    body = admin.create(rollout(namespace))
    about = reference(body, uid=body["metadata"]["uid"])
    await cluster.emit(about, reason="Advanced", message="to a share of 20 %", type="Normal")
    await cluster._events.close()
    arguments = [f"--kubeconfig={apiserver.kubeconfig}", f"--namespace={namespace}", "describe"]
    kubectl = await asyncio.create_subprocess_exec(
        str(apiserver.kubectl),
        *arguments,
        "rollouts.agentrollouts.io",
        "support",
        stdout=asyncio.subprocess.PIPE,
    )
    text = (await kubectl.communicate())[0].decode()
    (line,) = [line for line in text.splitlines() if "to a share of 20 %" in line]
    assert "Advanced" in line
    assert "agentrollouts.io/operator" in line
    assert "unknown" not in line


@pytest.mark.asyncio
async def test_events_about_nothing_raise_nothing(cluster: KubeCluster, namespace: str) -> None:
    nowhere = Reference(GROUP, "Rollout", f"{namespace}-none", "support", "uid")
    await cluster.emit(nowhere, reason="Advanced", message="nobody reads this", type="Normal")
    await cluster._events.close()


@pytest.mark.asyncio
async def test_a_list_is_complete_over_its_pages(cluster: KubeCluster, admin: Api, namespace: str) -> None:
    for number in range(7):
        name = f"agent-{number}"
        body = rollout(namespace)
        body["metadata"]["name"] = body["spec"]["agent"] = name
        admin.create(body)
    found = await cluster.list_objects(GROUP, "Rollout", namespace=namespace, page=3)
    assert [item["metadata"]["name"] for item in found] == [f"agent-{number}" for number in range(7)]


@pytest.mark.asyncio
async def test_an_object_is_found_by_its_name_or_isnt_there(
    cluster: KubeCluster, admin: Api, namespace: str
) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "support-2.0.0-b1c2d3e4f5a6", "namespace": namespace},
        "immutable": True,
        "data": {"prompts.json": "{}"},
    }
    assert await cluster.find(reference(body)) is None
    admin.create(body)
    found = await cluster.find(reference(body))
    assert found is not None
    assert found["data"] == {"prompts.json": "{}"}
    nowhere = Reference("v1", "ConfigMap", f"{namespace}-none", "support-2.0.0-b1c2d3e4f5a6")
    assert await cluster.find(nowhere) is None


def policy(name: str) -> Object:
    rules = [
        {"apiGroups": ["x.example"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["xs"]}
    ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": rules},
            "failurePolicy": "Fail",
            "validations": [{"expression": "true"}],
        },
    }


def binding(name: str, *, actions: list[str]) -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": actions},
    }


@pytest.mark.asyncio
async def test_policies_are_installed_only_with_bindings_that_deny(
    cluster: KubeCluster, admin: Api, namespace: str
) -> None:
    names = [f"{kind}-{namespace}" for kind in ("gates", "rollouts")]

    async def installed() -> bool:
        return await cluster.installed_policies(names)

    assert not await installed()
    for name in names:
        admin.create(policy(name))
    admin.create(binding(names[1], actions=["Deny"]))
    assert not await installed()
    warning = admin.create(binding(names[0], actions=["Warn"]))
    assert not await installed()
    admin.patch(warning, {"spec": {"validationActions": ["Deny"]}})
    assert await installed()
    for body in (warning, policy(names[0])):
        admin.delete(body)
    assert not await installed()


@pytest.mark.asyncio
async def test_a_rotated_token_is_read_again(
    apiserver: ApiServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("expired")
    host, _, port = apiserver.url.removeprefix("https://").rpartition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    from kubernetes.aio.config import incluster_config

    monkeypatch.setattr("kubernetes.aio.config.incluster_config.SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(
        "kubernetes.aio.config.incluster_config.SERVICE_CERT_FILENAME", str(apiserver.authority)
    )
    clock = [datetime(2026, 1, 5)]  # noqa: DTZ001 -- as the client's own are
    dates = SimpleNamespace(datetime=_frozen(lambda: clock[0]), timedelta=timedelta)
    monkeypatch.setattr(incluster_config, "datetime", dates)
    in_cluster = await KubeCluster.open(None)
    try:
        with pytest.raises(Exception, match="401"):
            await in_cluster.list_objects(GROUP, "Rollout", namespace=namespace)
        token.write_text(apiserver.token)
        clock[0] = clock[0].replace(minute=2)
        assert await in_cluster.list_objects(GROUP, "Rollout", namespace=namespace) == []
    finally:
        await in_cluster.close()


def _frozen(now: Callable[[], datetime]) -> type:
    class Frozen:
        @staticmethod
        def now() -> datetime:
            return now()

    return Frozen
