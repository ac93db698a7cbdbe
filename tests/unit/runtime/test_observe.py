from __future__ import annotations

from datetime import UTC, datetime

from agentrollouts.api.rollout_status import HistoryEntry, RolloutStatus
from agentrollouts.core.roles import RolloutFacts
from agentrollouts.runtime.observe import VersionViews
from agentrollouts.runtime.views import Place
from tests.fakes.stage import agent_version, rollout
from tests.unit.runtime.test_store import PLACE, Listening, pod

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEPLOYMENT = {
    "kind": "Deployment",
    "metadata": {
        "name": "support-1-0-0",
        "namespace": "shop",
        "labels": {"agentrollouts.io/agent": "support"},
    },
    "spec": {"replicas": 1},
    "status": {"readyReplicas": 1, "observedGeneration": 1},
}


def seen() -> tuple[Listening, VersionViews, RolloutFacts]:
    listening = Listening()
    listening.see("rollouts", rollout("1.0.0"), 1)
    listening.see("agentversions", agent_version("1.0.0", "a"), 2)
    item = listening.store.rollouts.items[PLACE]
    assert item.spec is not None
    return listening, VersionViews(listening.store), RolloutFacts(item.spec, item.status, None)


def test_views_are_the_same_while_nothing_changes() -> None:
    listening, views, facts = seen()
    first = views.of(PLACE, "support", facts)
    assert list(first) == ["1.0.0"]
    listening.see("agentversions", agent_version("1.0.0", "z", agent="other"), 3)
    assert views.of(PLACE, "support", facts) is first


def test_views_follow_versions_pods_and_history() -> None:
    listening, views, facts = seen()
    assert views.of(PLACE, "support", facts)["1.0.0"].workload is None
    listening.see("deployments", DEPLOYMENT, 3)
    assert views.of(PLACE, "support", facts)["1.0.0"].ready
    listening.see("pods", pod(ready=True, restarts=2), 3)
    found = views.of(PLACE, "support", facts)["1.0.0"].workload
    assert found is not None
    assert found.restarts == 2
    listening.see("agentversions", agent_version("2.0.0", "b"), 4)
    assert set(views.of(PLACE, "support", facts)) == {"1.0.0", "2.0.0"}
    listening.see("agentversions", agent_version("2.0.0", "b"), 5, kind="DELETED")
    assert set(views.of(PLACE, "support", facts)) == {"1.0.0"}
    assert "isn't this AgentVersion's" in views.of(PLACE, "support", facts)["1.0.0"].problem
    ours = [{"kind": "AgentVersion", "name": "support-1.0.0", "uid": "u", "controller": True}]
    listening.see("deployments", DEPLOYMENT, 6, ownerReferences=ours)
    assert not views.of(PLACE, "support", facts)["1.0.0"].problem

    entry = HistoryEntry(
        version="1.0.0", digest="sha256:" + "0" * 64, outcome="RolledBack", started_at=NOW, finished_at=NOW
    )
    remembered = RolloutFacts(facts.spec, RolloutStatus(history=(entry,)), None)
    assert "give the new content a new version" in views.of(PLACE, "support", remembered)["1.0.0"].problem


def test_a_rollout_that_is_gone_is_forgotten() -> None:
    _, views, facts = seen()
    first = views.of(PLACE, "support", facts)
    views.forget(PLACE)
    views.forget(Place("shop", "never-seen"))
    assert views.of(PLACE, "support", facts) is not first
