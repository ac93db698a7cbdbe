"""The chart's sentinels: they look and tell, and no right of theirs could move anything."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest
import typer.main

from agentrollouts.cli.app import app
from tests.unit.chart.helm import HelmError, Object, objects
from tests.unit.chart.test_rights import granted

SUPPORT = {
    "name": "support",
    "schedule": "17 * * * *",
    "target": "http://support-2-0-0.shop/v1/tasks",
    "configMap": "support-probes",
}
SHOP = {
    **SUPPORT,
    "namespace": "shop",
    "answer": "label",
    "repeat": 5,
    "alpha": "0.5%",
    "allowed": "10%",
    "storageClassName": "fast",
}
DESK = {**SUPPORT, "name": "desk", "namespace": "desk"}


def rendered(*sentinels: dict[str, object]) -> Sequence[Object]:
    return objects("--set-json", f"sentinels={json.dumps(sentinels)}")


def of_kind(found: Sequence[Object], kind: str) -> list[Object]:
    return [item for item in found if item["kind"] == kind]


def test_there_are_none_unless_somebody_wants_one() -> None:
    found = objects()
    assert of_kind(found, "CronJob") == of_kind(found, "PersistentVolumeClaim") == []
    assert granted(found, "sentinel") == {}


def test_a_sentinel_may_create_events_where_its_agents_are_and_nothing_else_anywhere() -> None:
    may = {"events.k8s.io/events": "create"}
    found = rendered(SHOP, DESK, {**SHOP, "name": "second"})
    assert granted(found, "sentinel") == {("Role", "shop"): may, ("Role", "desk"): may}
    assert granted(rendered(SUPPORT), "sentinel") == {("Role", "agent-rollouts"): may}
    accounts = {
        job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"]
        for job in of_kind(found, "CronJob")
    }
    assert accounts == {"agent-rollouts-sentinel"}
    assert granted(found, "operator") == granted(objects(), "operator")


def test_each_has_a_job_a_state_and_probes_of_its_own() -> None:
    found = rendered(SHOP, DESK)
    claims = {item["metadata"]["name"]: item["spec"] for item in of_kind(found, "PersistentVolumeClaim")}
    assert {name: spec.get("storageClassName") for name, spec in claims.items()} == {
        "agent-rollouts-sentinel-support": "fast",
        "agent-rollouts-sentinel-desk": None,
    }
    for job in of_kind(found, "CronJob"):
        spec = job["spec"]
        assert (spec["concurrencyPolicy"], spec["jobTemplate"]["spec"]["backoffLimit"]) == ("Forbid", 0)
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        volumes = {each["name"]: each for each in pod["volumes"]}
        assert volumes["state"]["persistentVolumeClaim"]["claimName"] == job["metadata"]["name"]
        assert volumes["probes"]["configMap"]["name"] == "support-probes"
        assert pod["restartPolicy"] == "Never"
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 65532)
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert {"requests", "limits"} <= container["resources"].keys()
        assert {each["name"] for each in container["volumeMounts"]} == volumes.keys()


def test_the_command_is_one_that_the_program_takes() -> None:
    (job,) = of_kind(rendered(SHOP), "CronJob")
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    command = container["command"]
    assert command[:5] == ["python", "-m", "agentrollouts.cli.app", "models", "sentinel"]
    program = typer.main.get_command(app)
    taken = program.commands["models"].commands["sentinel"]  # type: ignore[attr-defined]
    given = taken.make_context("sentinel", list(command[5:])).params
    assert {name: given[name] for name in ("target", "event_namespace", "answer", "repeat", "alpha", "allowed")} == {
        "target": SHOP["target"], "event_namespace": "shop", "answer": "label", "repeat": 5, "alpha": "0.5%", "allowed": "10%",
    }  # fmt: skip
    mounted = {each["mountPath"] for each in container["volumeMounts"]}
    for path in (given["dataset"], str(given["baseline"]), str(given["state"])):
        assert path.rpartition("/")[0] in mounted


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schedul": "@daily"}, "schedul"),
        ({"target": "support:8080"}, "target"),
        ({"repeat": 0}, "repeat"),
        ({"allowed": "0.05"}, "allowed"),
        ({"name": "Support"}, "name"),
        ({"configMap": None}, "configMap"),
    ],
)
def test_wrong_values_are_refused_by_name(change: dict[str, object], words: str) -> None:
    with pytest.raises(HelmError, match=re.escape(words)):
        rendered({**SUPPORT, **change})
