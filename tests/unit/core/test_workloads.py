from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.api.agentroute import AgentRouteSpec
from agentrollouts.api.agentversion import AgentVersionSpec, AgentVersionStatus
from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.rollout_status import RolloutStatus
from agentrollouts.core.manifests import Named, deployment, stamp_of
from agentrollouts.core.plan import Apply, PatchVersionStatus
from agentrollouts.core.roles import Role, RolloutFacts, standing
from agentrollouts.core.snapshot import Workload
from agentrollouts.core.task_ledger import TaskLedger
from agentrollouts.core.workloads import DeploymentFacts, VersionCase, digest_conflict, plan_version
from tests.builders import START, digest
from tests.fakes.stage import agent_version

A, B = digest("a"), digest("b")
NAMED = Named("shop", "support-1.0.0", "u-1")


def version_spec(**changes: Any) -> AgentVersionSpec:
    body = agent_version("1.0.0", "a")["spec"]
    return AgentVersionSpec.model_validate(body | changes)


def facts(
    wanted: str = "1.0.0", *, arms: tuple[tuple[str, int], ...] = (), retry: bool = False, **status: Any
) -> RolloutFacts:
    spec = RolloutSpec.model_validate({"agent": "support", "version": wanted} | status.pop("spec", {}))
    route = None
    if arms:
        route = AgentRouteSpec.model_validate(
            {
                "agent": "support",
                "port": 10_000,
                "arms": [
                    {"cohort": "stable", "version": v, "service": "s", "share": share} for v, share in arms
                ],
            }
        )
    return RolloutFacts(spec, RolloutStatus.model_validate(status), route, retry)


STABLE = {"version": "1.0.0", "digest": A, "since": START}
OTHER = {"version": "9.0.0", "digest": B, "since": START}
REJECTED = {
    "version": "1.0.0",
    "digest": A,
    "reason": "X",
    "at": START,
    "drain_until": START + timedelta(seconds=30),
}
PREVIOUS = {"version": "1.0.0", "digest": A, "warm_until": START + timedelta(hours=1)}
CANDIDATE = {"version": "1.0.0", "digest": A, "started_at": START, "step_started_at": START}


@pytest.mark.parametrize(
    ("rollout", "after", "role"),
    [
        (None, 0, Role.UNKNOWN),
        (facts(stable=STABLE), 0, Role.STABLE),
        (facts(stable=OTHER, candidate=CANDIDATE), 0, Role.CANDIDATE),
        (facts(), 0, Role.WANTED),
        (facts("9.0.0"), 0, Role.UNUSED),
        (facts("9.0.0", stable=OTHER, previous=PREVIOUS), 3599, Role.PREVIOUS),
        (facts("9.0.0", stable=OTHER, previous=PREVIOUS), 3600, Role.UNUSED),
        (facts(stable=OTHER, rejected=REJECTED), 29, Role.DRAINING),
        (facts(stable=OTHER, rejected=REJECTED), 30, Role.UNUSED),
        (facts(stable=OTHER, rejected=REJECTED | {"digest": B}), 30, Role.WANTED),
        (facts(stable=OTHER, rejected=REJECTED, retry=True), 30, Role.WANTED),
        (facts("9.0.0", stable=OTHER, arms=(("1.0.0", 500), ("9.0.0", 9500))), 0, Role.ROUTED),
        (facts("9.0.0", stable=OTHER, arms=(("1.0.0", 0), ("9.0.0", 10_000))), 0, Role.UNUSED),
        (
            facts(
                "9.0.0", spec={"strategy": {"manual": {"shares": [{"version": "1.0.0", "share": "100%"}]}}}
            ),
            0,
            Role.MANUAL,
        ),
    ],
)
def test_the_role_of_a_version(rollout: RolloutFacts | None, after: int, role: Role) -> None:
    assert standing("1.0.0", A, rollout, START + timedelta(seconds=after)).role is role


def case(**changes: Any) -> VersionCase:
    base = VersionCase(
        named=NAMED, generation=1, spec=version_spec(), status=AgentVersionStatus(), digest=A, now=START
    )
    return replace(base, **{"rollout": facts(stable=STABLE), **changes})


def live(replicas: int, **changes: Any) -> DeploymentFacts:
    applied = stamp_of(deployment(NAMED, version_spec(), digest=A, replicas=replicas))
    return DeploymentFacts(
        **{"replicas": replicas, "applied": applied, "owned_by": "u-1", "pods": {}, **changes}
    )


def test_that_pods_out_of_use_are_going_is_told_once_they_are_gone() -> None:
    out = facts("9.0.0", stable=OTHER, rejected=REJECTED)
    drained = START + timedelta(seconds=30)
    told = AgentVersionStatus(phase="Retired", observed_generation=1, artifact_digest=A)

    def statuses(desired: int, ready: int, before: AgentVersionStatus) -> list[AgentVersionStatus]:
        pods = Workload(desired=desired, ready=ready)
        found = case(rollout=out, now=drained, workload=pods, deployment=live(desired), status=before)
        return [a.status for a in plan_version(found).actions if isinstance(a, PatchVersionStatus)]

    assert statuses(2, 2, told) == statuses(0, 2, told) == []
    (gone,) = statuses(0, 0, told)
    assert (gone.replicas, gone.ready_replicas) == (0, 0)
    (share,) = statuses(2, 2, told.model_copy(update={"share": 500}))
    assert share.share == 0, "what matters to people is never late"


def applied(found: VersionCase) -> list[tuple[str, int | None]]:
    return [
        (action.manifest["kind"], action.manifest["spec"].get("replicas"))
        for action in plan_version(found).actions
        if isinstance(action, Apply)
    ]


def status_of(found: VersionCase) -> AgentVersionStatus:
    return next(a.status for a in plan_version(found).actions if isinstance(a, PatchVersionStatus))


def test_a_version_that_is_needed_gets_its_pods_and_its_service() -> None:
    assert applied(case()) == [("Deployment", 2), ("Service", None)]


def test_a_version_nobody_uses_gets_nothing() -> None:
    assert applied(case(rollout=facts("9.0.0"))) == []


def test_a_version_that_is_no_longer_used_loses_its_pods() -> None:
    assert applied(case(rollout=facts("9.0.0"), deployment=live(2))) == [("Deployment", 0)]


def test_without_a_rollout_everything_stays_as_it_is() -> None:
    assert applied(case(rollout=None, deployment=live(2))) == []


def test_a_number_changed_by_somebody_else_is_put_back() -> None:
    assert ("Deployment", 2) in applied(case(deployment=live(0)))
    assert ("Deployment", 2) in applied(case(deployment=live(2, drifted=True)))


def test_a_serving_deployment_is_not_made_anew_for_another_template_of_ours() -> None:
    assert applied(case(deployment=live(2, applied="older"))) == [("Service", None)]
    assert ("Deployment", 2) in applied(case(rollout=facts(), deployment=live(2, applied="older")))


def test_a_deployment_of_that_name_that_is_not_ours_is_left_alone() -> None:
    found = case(deployment=live(2, owned_by=""))
    assert applied(found) == []
    stalled = next(c for c in status_of(found).conditions if c.type == "Stalled")
    assert stalled.status == "True"
    assert "isn't this AgentVersion's" in stalled.message


def test_identity_wins_over_the_users_environment_and_the_rest_stays() -> None:
    container = {
        "name": "agent",
        "image": "x",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "AGENT_VERSION", "value": "9.9.9"}, {"name": "MINE", "value": "1"}],
    }
    spec = version_spec(template={"spec": {"containers": [container], "terminationGracePeriodSeconds": 77}})
    pod = deployment(NAMED, spec, digest=A, replicas=1)["spec"]["template"]
    variables = pod["spec"]["containers"][0]["env"]
    env = {item["name"]: item.get("value") for item in variables}
    whereabouts = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    assert {"name": "AGENT_NAMESPACE", "valueFrom": whereabouts} in variables
    assert (env["AGENT_VERSION"], env["MINE"], env["AGENT_RELEASE_DIGEST"]) == ("1.0.0", "1", A)
    assert "agent.release.digest=" + A in (env["OTEL_RESOURCE_ATTRIBUTES"] or "")
    assert pod["spec"]["terminationGracePeriodSeconds"] == 77
    assert pod["spec"]["containers"][0]["readinessProbe"]["tcpSocket"] == {"port": "http"}
    assert pod["metadata"]["labels"]["agentrollouts.io/digest"] == "a" * 12
    names = [item["name"] for item in variables]
    assert names[-1] == "MINE", "the user's may refer to ours"
    assert names.index("POD_NAME") < names.index("OTEL_RESOURCE_ATTRIBUTES"), "or $(POD_NAME) isn't expanded"


LEDGER = TaskLedger("http://ledger.agent-rollouts:8090", "ledger-token")


def posting_pod(ledger: TaskLedger | None, *env: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(variables of the container, pod spec)."""
    container = {"name": "agent", "image": "x", "env": list(env)}
    spec = version_spec(template={"spec": {"containers": [container]}})
    made = deployment(NAMED, spec, digest=A, replicas=1, ledger=ledger)["spec"]["template"]["spec"]
    return {item["name"]: item.get("value") for item in made["containers"][0]["env"]}, made


def test_pods_are_told_where_the_ledger_is_and_find_their_token_if_there_is_one() -> None:
    env, pod = posting_pod(LEDGER)
    assert env["AGENT_LEDGER_URL"] == "http://ledger.agent-rollouts:8090"
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "agent-rollouts-ledger"]
    assert mount["readOnly"]
    assert env["AGENT_LEDGER_TOKEN_FILE"] == f"{mount['mountPath']}/agent"
    (volume,) = [v for v in pod["volumes"] if v["name"] == "agent-rollouts-ledger"]
    assert volume["secret"] == {
        "secretName": "ledger-token",
        "items": [{"key": "agent", "path": "agent"}],
        "optional": True,
    }


def test_without_a_ledger_and_without_its_secret_nothing_is_added() -> None:
    env, pod = posting_pod(None)
    assert not [name for name in env if "LEDGER" in name]
    assert [v["name"] for v in pod["volumes"]] == ["agent-rollouts-state"]
    env, pod = posting_pod(TaskLedger(LEDGER.url, ""))
    assert [name for name in env if "LEDGER" in name] == ["AGENT_LEDGER_URL"]
    assert [v["name"] for v in pod["volumes"]] == ["agent-rollouts-state"]


@pytest.mark.parametrize("theirs", ["http://mine:1", ""])
def test_an_address_of_the_users_wins_and_never_gets_the_token(theirs: str) -> None:
    env, pod = posting_pod(LEDGER, {"name": "AGENT_LEDGER_URL", "value": theirs})
    assert env["AGENT_LEDGER_URL"] == theirs
    assert "AGENT_LEDGER_TOKEN_FILE" not in env
    assert [m["name"] for m in pod["containers"][0]["volumeMounts"]] == ["agent-rollouts-state"]


def test_a_token_file_of_the_users_wins() -> None:
    env, _ = posting_pod(LEDGER, {"name": "AGENT_LEDGER_TOKEN_FILE", "value": "/mine"})
    assert (env["AGENT_LEDGER_URL"], env["AGENT_LEDGER_TOKEN_FILE"]) == (LEDGER.url, "/mine")


def test_what_the_user_mounts_in_the_tokens_place_stays() -> None:
    mine = {"name": "mine", "mountPath": "/var/run/agent-rollouts-ledger"}
    container = {"name": "agent", "image": "x", "volumeMounts": [mine]}
    spec = version_spec(template={"spec": {"containers": [container]}})
    pod = deployment(NAMED, spec, digest=A, replicas=1, ledger=LEDGER)["spec"]["template"]["spec"]
    assert [m["name"] for m in pod["containers"][0]["volumeMounts"]] == ["mine", "agent-rollouts-state"]


def test_pods_that_serve_go_on_when_a_ledger_is_added() -> None:
    serving = case(ledger=LEDGER, deployment=live(2))
    waiting = case(rollout=facts(), ledger=LEDGER, deployment=live(2))
    made = [[kind for kind, _ in applied(found)].count("Deployment") for found in (serving, waiting)]
    assert made == [0, 1], "one that serves nobody gets it"


def test_a_probe_of_the_users_is_kept() -> None:
    probe = {"httpGet": {"path": "/ready", "port": "http"}}
    container = {
        "name": "a",
        "image": "x",
        "ports": [{"name": "http", "containerPort": 1}],
        "readinessProbe": probe,
    }
    spec = version_spec(template={"spec": {"containers": [container]}})
    pod = deployment(NAMED, spec, digest=A, replicas=1)["spec"]["template"]["spec"]
    assert pod["containers"][0]["readinessProbe"] == probe


def test_a_template_without_an_http_port_is_refused_with_the_reason() -> None:
    spec = version_spec(template={"spec": {"containers": [{"name": "a", "image": "x"}]}})
    found = case(spec=spec)
    assert applied(found) == []
    assert any("port named http" in c.message for c in status_of(found).conditions)


def test_a_users_deployment_gets_a_service_and_nothing_else() -> None:
    spec = version_spec(template=None, deployment_ref={"name": "mine"})
    pods = {"app": "mine"}
    found = case(spec=spec, deployment=DeploymentFacts(5, pods=pods), workload=Workload(desired=5, ready=5))
    actions = [a for a in plan_version(found).actions if isinstance(a, Apply)]
    assert [a.manifest["spec"]["selector"] for a in actions] == [pods]
    assert applied(replace(found, rollout=facts("9.0.0"))) == []


def test_a_users_deployment_that_is_not_found_is_asked_for_by_its_label() -> None:
    spec = version_spec(template=None, deployment_ref={"name": "mine"})
    stalled = next(c for c in status_of(case(spec=spec)).conditions if c.type == "Stalled")
    assert "kubectl label deployment mine agentrollouts.io/agent=support" in stalled.message


def test_a_version_made_again_with_other_content_is_told_apart() -> None:
    entry = {
        "version": "1.0.0",
        "digest": B,
        "outcome": "RolledBack",
        "started_at": START,
        "finished_at": START,
    }
    assert "give the new content a new version" in digest_conflict(
        version_spec(), A, facts(stable=OTHER, history=[entry])
    )
    assert digest_conflict(version_spec(), B, facts(stable=OTHER, history=[entry])) == ""


def test_the_status_says_how_the_pods_are() -> None:
    found = case(deployment=live(2), workload=Workload(desired=2, ready=1, trouble="agent: ImagePullBackOff"))
    status = status_of(found)
    assert (status.phase, status.health, status.ready_replicas) == ("Stable", "Unhealthy", 1)
    assert {c.type: c.status for c in status.conditions} == {
        "Ready": "False",
        "Reconciling": "True",
        "Stalled": "False",
        "Loaded": "Unknown",
    }
    again = plan_version(replace(found, status=status, now=START + timedelta(minutes=1)))
    assert not any(isinstance(a, PatchVersionStatus) for a in again.actions), "nothing new, nothing written"


def test_a_role_that_ends_is_looked_at_again_when_it_ends() -> None:
    found = case(rollout=facts("9.0.0", stable=OTHER, rejected=REJECTED))
    assert plan_version(found).requeue_after == timedelta(seconds=30)
