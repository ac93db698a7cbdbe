"""The ledger's tokens in a cluster that has some already: they are kept, and what is missing is added."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

import pytest
import yaml

from agentrollouts.ledger.rights import RIGHTS
from tests.unit.chart.helm import CHART, helm
from tests.unit.chart.secrets_api import Secrets, serving

TOKENS, AGENTS = "agent-rollouts-ledger-tokens", "agent-rollouts-ledger"
LEDGER = ("agent-rollouts", TOKENS)


@pytest.fixture
def chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The chart with the templates of Secrets alone, since helm asks its API server for every kind it renders."""
    monkeypatch.setenv("KUBECACHEDIR", str(tmp_path / "cache"))
    folder = tmp_path / "chart"
    shutil.copytree(CHART, folder)
    for path in (folder / "templates").rglob("*"):
        if path.is_file() and path.suffix != ".tpl" and path.name != "tokens.yaml":
            path.unlink()
    return folder


def _upgraded(chart: Path, before: Secrets, *namespaces: str) -> Secrets:
    """What the cluster has after an upgrade."""
    values = f"ledger.enabled=true,watchNamespaces={{{','.join(namespaces)}}}"
    with serving(before) as url:
        where = ("--dry-run=server", "--disable-openapi-validation", "--kube-apiserver", url)
        text = helm("template", "agent-rollouts", str(chart), "-n", "agent-rollouts", *where, "--set", values)
    return {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item["data"]
        for item in yaml.safe_load_all(text)
        if item
    }


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_tokens_that_are_there_are_kept_and_those_of_namespaces_are_added(chart: Path) -> None:
    # NB: two lines, as while somebody goes from one to the next.
    old = {role: _encoded(f"{role}-token-of-the-tests\nand-the-next-one\n") for role in RIGHTS}
    found = _upgraded(chart, {LEDGER: old, ("shop", AGENTS): {"agent": old["agent"]}}, "shop")
    tokens = found[LEDGER]
    assert {role: tokens[role] for role in RIGHTS} == old, "who has one goes on with it"
    assert tokens.keys() - old == {"agent.shop", "reader.shop"}
    assert found["shop", AGENTS] == {role: tokens[f"{role}.shop"] for role in ("agent", "reader")}
    assert len(set(tokens.values())) == len(tokens)


def test_another_upgrade_changes_nothing_and_a_new_namespace_adds_its_own(chart: Path) -> None:
    first = _upgraded(chart, {}, "shop")
    assert _upgraded(chart, first, "shop") == first
    second = _upgraded(chart, first, "desk", "shop")
    assert first[LEDGER].items() <= second[LEDGER].items()
    assert second[LEDGER].keys() - first[LEDGER] == {"agent.desk", "reader.desk"}
    assert second["shop", AGENTS] == first["shop", AGENTS]


def test_a_namespace_that_is_no_longer_watched_loses_its_tokens(chart: Path) -> None:
    both = _upgraded(chart, {}, "desk", "shop")
    left = _upgraded(chart, both, "shop")
    assert left.keys() == {LEDGER, ("shop", AGENTS)}
    assert both[LEDGER].keys() - left[LEDGER] == {"agent.desk", "reader.desk"}
