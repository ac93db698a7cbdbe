from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import kopf
import pytest

from agentrollouts.runtime import children, views
from agentrollouts.runtime.handlers import configure, registry
from agentrollouts.runtime.pods import workload
from agentrollouts.runtime.settings import parse

LABELS = {"agentrollouts.io/agent": "support", "agentrollouts.io/version": "1.0.0"}


def pod(status: dict[str, Any], *, template: str = "", **meta: Any) -> children.PodObject:
    notes = {"agentrollouts.io/template": template}
    return children.pod(
        {
            "metadata": {"name": "p", "namespace": "shop", "labels": LABELS, "annotations": notes} | meta,
            "status": status,
        }
    )


def deployment(
    replicas: int, ready: int, *, observed: int = 1, template: str = ""
) -> children.DeploymentObject:
    return children.deployment(
        {
            "metadata": {"name": "d", "namespace": "shop", "labels": LABELS, "generation": 1},
            "spec": {
                "replicas": replicas,
                "template": {"metadata": {"annotations": {"agentrollouts.io/template": template}}},
            },
            "status": {"readyReplicas": ready, "observedGeneration": observed},
        }
    )


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"waiting": {"reason": "ContainerCreating"}}, ""),
        ({"running": {}}, ""),
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}},
            "agent: ImagePullBackOff: no such image",
        ),
        ({"waiting": {"reason": "CreateContainerConfigError"}}, "agent: CreateContainerConfigError"),
        ({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}, "agent: CrashLoopBackOff"),
    ],
)
def test_why_a_container_does_not_start(state: dict[str, Any], text: str) -> None:
    assert pod({"containerStatuses": [{"name": "agent", "state": state}]}).trouble == text


def test_a_pod_that_fits_nowhere_says_so() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    assert pod({"conditions": [condition]}).trouble == "Unschedulable: 0/3 nodes"


CREATING = {"name": "agent", "state": {"waiting": {"reason": "ContainerCreating"}}}
INITIALIZING = {"name": "agent", "state": {"waiting": {"reason": "PodInitializing"}}}


def unprepared(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> children.PodObject:
    condition = {
        "type": "PodReadyToStartContainers",
        "status": "False",
        "lastTransitionTime": "2026-01-05T09:00:00Z",
    }
    return pod(
        {
            "conditions": [condition],
            "containerStatuses": list(containers),
            "initContainerStatuses": list(init),
        },
        template="new",
    )


def test_a_pod_that_waits_for_what_it_mounts_says_so_after_a_minute() -> None:
    found = workload(deployment(1, 0, template="new"), [unprepared(CREATING)])
    assert found is not None
    assert found.why(datetime(2026, 1, 5, 9, 0, 59, tzinfo=UTC)) == ""
    assert found.why(datetime(2026, 1, 5, 9, 1, tzinfo=UTC)).startswith("no container of pod p was made")


def test_the_kubelets_words_come_before_ours() -> None:
    broken = pod({"containerStatuses": [{"name": "agent", "state": {"waiting": {"reason": "ErrImagePull"}}}]})
    found = workload(deployment(2, 0), [unprepared(CREATING), broken])
    assert found is not None
    assert found.why(datetime(2026, 1, 6, tzinfo=UTC)) == "agent: ErrImagePull"


@pytest.mark.parametrize(
    "found",
    [
        unprepared({"name": "agent", "state": {"running": {}}}),
        unprepared({"name": "agent", "state": {"terminated": {"exitCode": 0}}}),
        unprepared(INITIALIZING, init=({"name": "first", "state": {"running": {}}},)),
        unprepared(),
        pod({"conditions": [], "containerStatuses": [CREATING]}),
        pod(
            {
                "conditions": [{"type": "PodReadyToStartContainers", "status": "True"}],
                "containerStatuses": [CREATING],
            }
        ),
    ],
    ids=["runs", "has ended", "an init container runs", "not seen", "an old kubelet", "pulls its image"],
)
def test_a_pod_that_waits_for_nothing_that_it_mounts_says_nothing(found: children.PodObject) -> None:
    assert found.unstarted is None


def test_pods_of_an_older_template_and_pods_that_go_do_not_count() -> None:
    crashing = {"containerStatuses": [{"restartCount": 9}]}
    found = workload(
        deployment(2, 2, template="new"),
        [
            pod(crashing, template="old"),
            pod(crashing, template="new", deletionTimestamp="2026-01-05T09:00:00Z"),
        ],
    )
    assert found is not None
    assert found.restarts == 0


def test_when_a_container_last_began_again() -> None:
    def restarted(at: str, times: int) -> dict[str, Any]:
        return {
            "containerStatuses": [{"restartCount": times, "lastState": {"terminated": {"finishedAt": at}}}]
        }

    pods = [pod(restarted("2026-01-05T09:00:00Z", 1)), pod(restarted("2026-01-05T09:07:00Z", 2)), pod({})]
    found = workload(deployment(3, 3), pods)
    assert found is not None
    assert found.last_restart == datetime(2026, 1, 5, 9, 7, tzinfo=UTC)
    running = restarted("2026-01-05T09:07:00Z", 3)
    running["containerStatuses"][0]["state"] = {"running": {"startedAt": "2026-01-05T09:07:40Z"}}
    again = workload(deployment(1, 1), [pod(running)])
    assert again is not None
    assert again.last_restart == datetime(2026, 1, 5, 9, 7, 40, tzinfo=UTC)
    # Ten seconds from the start of its container until it could serve: a soak begins there, and not before.
    running["conditions"] = [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-05T09:07:50Z"}
    ]
    slow = workload(deployment(1, 1), [pod(running)])
    assert slow is not None
    assert slow.last_restart == datetime(2026, 1, 5, 9, 7, 50, tzinfo=UTC)
    quiet = workload(deployment(1, 1), [pod({"containerStatuses": [{"restartCount": 0}]})])
    assert quiet is not None
    assert quiet.last_restart is None


def test_when_the_last_ready_pod_was_lost() -> None:
    def unready(at: str) -> children.PodObject:
        return pod({"conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": at}]})

    pods = [unready("2026-01-05T09:00:00Z"), unready("2026-01-05T09:05:00Z")]
    gone = workload(deployment(2, 0), pods)
    assert gone is not None
    assert gone.unready_since == datetime(2026, 1, 5, 9, 5, tzinfo=UTC)
    some = workload(deployment(2, 1), pods)
    assert some is not None
    assert some.unready_since is None


def test_numbers_about_an_older_size_are_not_more_than_the_new_one() -> None:
    found = workload(deployment(1, 3, observed=0), [])
    assert found is not None
    assert (found.desired, found.ready) == (1, 1)


def test_approvers_are_one_name_a_line() -> None:
    spec = {
        "agent": "support",
        "version": "2.0.0",
        "artifactDigest": f"sha256:{'a' * 64}",
        "stable": "1.0.0",
        "share": "100%",
    }
    notes = {
        "agentrollouts.io/approve": "true looks good",
        "agentrollouts.io/approved-by": "ann\nsystem:serviceaccount:ci:bot, the other\n",
    }
    found = views.gate(
        {"metadata": {"name": "g", "namespace": "shop", "annotations": notes}, "spec": spec}
    ).view
    assert found is not None
    assert found.approved_by == ("ann", "system:serviceaccount:ci:bot, the other")
    assert found.approve == "true looks good"


def test_settings_come_from_flags_then_from_the_environment() -> None:
    environment = {
        "AGENT_ROLLOUTS_NAMESPACES": "a, b,a",
        "AGENT_ROLLOUTS_PROMETHEUS_URL": "http://prometheus:9090",
        "AGENT_ROLLOUTS_ROUTER_INSTANCE": "mine",
        "AGENT_ROLLOUTS_REQUIRE_POLICY": "false",
        "POD_NAMESPACE": "home",
    }
    found = parse(["--prometheus", "http://other:9090", "--no-leader-election"], environment)
    assert found.namespaces == ("a", "b")
    assert found.prometheus == "http://other:9090"
    assert parse([], environment).prometheus == "http://prometheus:9090"
    assert found.router.labels["app.kubernetes.io/instance"] == "mine"
    assert (found.router.namespace, found.lease.namespace) == ("home", "home")
    assert not found.require_policy
    assert not found.lease.enabled


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--log-level", "loud"], "expected debug, info, warning or error for --log-level; got 'loud'"),
        (["--require-policy", "maybe"], "expected true or false for --require-policy; got 'maybe'"),
        (["--health-port", "99999"], "expected a port number for --health-port; got '99999'"),
    ],
)
def test_a_wrong_setting_names_its_flag(flags: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(flags, {})


def test_kopf_watches_and_does_nothing_else() -> None:
    async def stop() -> None: ...

    found = registry(lambda *_: None, kubeconfig=None, start=lambda: None, stop=stop)
    watched = {handler.id for handler in found._watching.get_all_handlers()}
    assert watched == {
        "rollouts",
        "agentversions",
        "approvalgates",
        "agentroutes",
        "deployments",
        "pods",
        "jobs",
        "services",
        "configmaps",
    }
    assert not found._changing.get_all_handlers()
    assert not found._spawning.get_all_handlers()
    assert not found._indexing.get_all_handlers()
    settings = kopf.OperatorSettings()
    configure(settings)
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    assert settings.watching.label_selectors["apps", "v1", "deployments"] == "agentrollouts.io/agent"
    assert settings.watching.label_selectors["batch", "v1", "jobs"] == "agentrollouts.io/proof"
