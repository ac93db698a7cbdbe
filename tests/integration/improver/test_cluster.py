"""The improver's own requests, with a token of its service account, under its Role and the policies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from agentrollouts.improver.__main__ import main
from agentrollouts.improver.cluster import KubeCluster
from agentrollouts.kube.connection import Connection
from hack.apiserver import ApiServer
from tests.contract.improver_cluster import check
from tests.fakes.improvable import version
from tests.integration.api import Api, Object, RefusedError
from tests.integration.improver.conftest import ACCOUNT, HOME, placed


@pytest.fixture
def kubeconfig(admin: Api, apiserver: ApiServer, tmp_path: Path) -> Path:
    """A kubeconfig with a token of the service account."""
    for path, name in (
        ("/api/v1/namespaces", HOME),
        (f"/api/v1/namespaces/{HOME}/serviceaccounts", ACCOUNT),
    ):
        try:
            admin.request("POST", path, {"metadata": {"name": name}})
        except RefusedError as error:
            if error.status != 409:
                raise
    token = admin.request(
        "POST",
        f"/api/v1/namespaces/{HOME}/serviceaccounts/{ACCOUNT}/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )["status"]["token"]
    config = yaml.safe_load(apiserver.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest_asyncio.fixture
async def connection(kubeconfig: Path) -> AsyncIterator[Connection]:
    opened = await Connection.open(kubeconfig)
    yield opened
    await opened.close()


@pytest.mark.asyncio
async def test_the_real_cluster_keeps_the_contract(
    connection: Connection, rollout: Object, admin: Api
) -> None:
    shop = rollout["metadata"]["namespace"]
    first = admin.create(placed(version("1.0.0"), shop))
    try:
        await check(KubeCluster(connection, shop), "support")
        (event,) = [
            item
            for item in admin.request("GET", f"/apis/events.k8s.io/v1/namespaces/{shop}/events")["items"]
            if item["reason"] == "ImprovementProposed"
        ]
        assert event["regarding"]["uid"] == rollout["metadata"]["uid"]
        assert event["reportingController"] == "agentrollouts.io/improver"
        assert event["note"] == "Started: 1.0.1-p1 begins"
    finally:
        for body in (first, placed(version("1.0.1-p1"), shop)):
            admin.delete(body)


def test_the_program_says_what_it_holds_for(
    kubeconfig: Path, rollout: Object, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["support", "--namespace", rollout["metadata"]["namespace"], "--kubeconfig", str(kubeconfig)]
    listen = {"AGENT_ROLLOUTS_IMPROVER_LISTEN": "127.0.0.1:0"}
    assert main(arguments, listen) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["action"], outcome["reason"]) == ("hold", "NothingServes")
    assert main(["billing", *arguments[1:]], listen) == 1
    assert "couldn't be asked" in capsys.readouterr().err
    assert main(arguments, {"AGENT_ROLLOUTS_LEDGER_URL": "ledger"}) == 2
