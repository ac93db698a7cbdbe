"""One real API server for all integration tests of a session; every test works in a namespace of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from hack.apiserver import ApiServer, running_apiserver
from tests.integration.api import Api


@pytest.fixture(scope="session")
def apiserver() -> Iterator[ApiServer]:
    """etcd and kube-apiserver, with RBAC and all admission of a default cluster."""
    with running_apiserver() as server:
        yield server


@pytest.fixture(scope="session")
def admin(apiserver: ApiServer) -> Iterator[Api]:
    """The API as a member of system:masters, with our definitions installed."""
    with Api.to(apiserver) as api:
        api.install_definitions()
        yield api


@pytest.fixture
def namespace(admin: Api) -> str:
    """A fresh namespace."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return name
