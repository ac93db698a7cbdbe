"""Users with kubeconfig files of their own: service accounts, because a test server has no other logins to give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from hack.apiserver import ApiServer
from tests.integration.api import Api, Object


@dataclass(frozen=True, slots=True)
class Person:
    """A user name as the API server knows it, and the kubeconfig to log in with."""

    user: str
    kubeconfig: Path


def person(
    admin: Api, server: ApiServer, namespace: str, *, name: str, rules: Sequence[Object], folder: Path
) -> Person:
    """Somebody with these RBAC rules in the namespace, whose kubeconfig has the namespace as its default."""
    core, rbac = (
        f"/api/v1/namespaces/{namespace}",
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}",
    )
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    admin.request("POST", f"{core}/serviceaccounts", account)
    group = "rbac.authorization.k8s.io"
    admin.request(
        "POST",
        f"{rbac}/roles",
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": name}, "rules": list(rules)},
    )
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    admin.request("POST", f"{rbac}/rolebindings", binding)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = admin.request("POST", f"{core}/serviceaccounts/{name}/token", review)["status"]["token"]
    path = folder / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(_kubeconfig(server, namespace, token)))
    return Person(f"system:serviceaccount:{namespace}:{name}", path)


def _kubeconfig(server: ApiServer, namespace: str, token: str) -> Object:
    authority = str(server.authority)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": server.url, "certificate-authority": authority}}],
        "users": [{"name": "me", "user": {"token": token}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "test", "user": "me", "namespace": namespace}},
            {"name": "elsewhere", "context": {"cluster": "test", "user": "me"}},
        ],
        "current-context": "here",
    }
