"""The whole operator in memory before a candidate gets its first share: a Job is made, ends, or doesn't."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.core.plan import CreateJob, Emit, Plan
from agentrollouts.ports import Key, TerminalError, TransientError
from tests.fakes.cluster import Object
from tests.fakes.stage import Stage, agent_version, rollout

ENTRY = {
    "name": "golden",
    "eval": {
        "dataset": {"configMap": "support-evals", "key": "golden.yaml"},
        "minimumScore": "80%",
        "baseline": {"stable": True},
    },
}
SECOND = {
    "name": "more",
    "eval": {"dataset": {"configMap": "support-evals", "key": "more.yaml"}, "minimumScore": "50%"},
}
PASS = {
    "verdict": "PASS",
    "message": "Eval score: 0.9000 (threshold: 0.8000)",
    "score": "0.9000",
    "cases": 12,
}
FAIL = {"verdict": "FAIL", "message": "Score 0.7000 below minimum 0.8000", "score": "0.7000", "cases": 12}
INVALID = {"verdict": "INVALID", "message": "expected a dataset of pydantic-evals"}


async def proving(*entries: Object, **spec: Any) -> Stage:
    """2.0.0 is ready, and its first Job is made."""
    stage = Stage()
    spec = {"beforeTraffic": list(entries or (ENTRY,)), **spec}
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", **spec))
    await stage.restart()
    await stage.go(1)
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", **spec))
    await stage.go(4)
    assert len(jobs(stage)) == 1
    return stage


def jobs(stage: Stage) -> list[Object]:
    return stage.cluster.of("Job")


def end(stage: Stage, said: object, *, status: int | None = None, job: Object | None = None) -> None:
    """Play the kubelet and the Job's controller: its pod ends with these words, and then the Job."""
    body = job or jobs(stage)[-1]
    meta = body["metadata"]
    at = f"{stage.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    message = said if isinstance(said, str) else json.dumps(said)
    code = (
        status
        if status is not None
        else {"PASS": 0, "FAIL": 1}.get(isinstance(said, dict) and said["verdict"], 2)
    )
    ended = {
        "exitCode": code,
        "message": message,
        "reason": "Completed" if code == 0 else "Error",
        "finishedAt": at,
    }
    stage.cluster.put(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{meta['name']}-x",
                "namespace": "shop",
                "labels": body["spec"]["template"]["metadata"]["labels"],
                "ownerReferences": [{"kind": "Job", "name": meta["name"], "uid": meta["uid"]}],
            },
            "status": {"containerStatuses": [{"name": "proof", "state": {"terminated": ended}}]},
        }
    )
    over(stage, "Complete" if code == 0 else "Failed", "" if code == 0 else "PodFailurePolicy", job=body)


def over(stage: Stage, kind: str, reason: str = "", *, job: Object | None = None) -> None:
    at = f"{stage.clock.now():%Y-%m-%dT%H:%M:%SZ}"
    condition = {"type": kind, "status": "True", "reason": reason, "lastTransitionTime": at}

    def change(body: Object) -> None:
        body["status"] = {"conditions": [condition]}

    stage.cluster.edit("Job", (job or jobs(stage)[-1])["metadata"]["name"], change)


def proofs(stage: Stage) -> list[tuple[str, str]]:
    return [(proof["name"], proof["verdict"]) for proof in stage.status()["candidate"]["proofs"]]


@pytest.mark.asyncio
async def test_no_share_before_the_job_passed_and_the_first_step_right_after() -> None:
    stage = await proving()
    await stage.go(30)
    assert stage.shares() == {"1.0.0": 10_000}
    assert stage.status()["decision"]["reason"] == "Proving"
    assert proofs(stage) == [("golden", "PENDING")]
    end(stage, PASS)
    await stage.go(2)
    assert stage.shares() == {"2.0.0": 500, "1.0.0": 9500}
    proof = stage.status()["candidate"]["proofs"][0]
    assert (proof["verdict"], proof["score"], proof["cases"], "0.9000" in proof["message"]) == (
        "PASS",
        "0.9000",
        12,
        True,
    )
    assert [reason for reason, _ in stage.cluster.events].count("Proven") == 1


@pytest.mark.asyncio
async def test_a_fail_is_a_rollback_with_the_numbers_and_isnt_tried_again() -> None:
    stage = await proving(rollback={"coolDown": "10m"})
    end(stage, FAIL)
    await stage.go(2)
    status = stage.status()
    assert (status["phase"], status["rejected"]["reason"]) == ("RolledBack", "EvalFailed")
    assert status["rejected"]["message"] == "golden: Score 0.7000 below minimum 0.8000"
    await stage.go(30)
    assert len(jobs(stage)) == 1
    stage.cluster.annotate("Rollout", "support", retry="1")
    await stage.go(4)
    assert len(jobs(stage)) == 2, "a new attempt runs anew"
    end(stage, PASS)
    await stage.go(2)
    assert stage.shares()["2.0.0"] == 500


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (INVALID, "expected a dataset of pydantic-evals"),
        ("Traceback (most recent call last)", "expected a summary as JSON"),
        ({"verdict": "GREAT"}, "expected a summary as JSON; verdict"),
        ({"verdict": "PASS", "score": "1.5"}, "expected a summary as JSON; score"),
        ("", "it ended without a summary (exit status 2, Error)"),
    ],
)  # fmt: skip
async def test_without_a_verdict_it_holds_for_a_person_whose_retry_runs_it_anew(
    said: object, told: str
) -> None:
    stage = await proving()
    end(stage, said, status=2)
    await stage.go(60)
    status = stage.status()
    assert (status["phase"], status["decision"]["reason"]) == ("Degraded", "EvalInvalid")
    assert told in status["message"]
    assert next(c for c in status["conditions"] if c["type"] == "Stalled")["status"] == "True"
    assert stage.shares() == {"1.0.0": 10_000}
    assert len(jobs(stage)) == 1
    stage.cluster.annotate("Rollout", "support", retry="1")
    await stage.go(4)
    assert (len(jobs(stage)), stage.status()["candidate"]["attempt"]) == (2, 2)
    end(stage, PASS)
    await stage.go(2)
    assert stage.shares()["2.0.0"] == 500


@pytest.mark.asyncio
async def test_without_a_verdict_it_may_roll_back_instead() -> None:
    stage = await proving(ENTRY | {"onInvalid": "Rollback"})
    end(stage, INVALID)
    await stage.go(2)
    assert stage.status()["rejected"]["reason"] == "EvalInvalid"


@pytest.mark.asyncio
async def test_a_pass_that_fell_over_afterwards_is_no_pass() -> None:
    stage = await proving()
    end(stage, PASS, status=137)
    await stage.go(2)
    assert stage.status()["decision"]["reason"] == "EvalInvalid"
    assert stage.shares() == {"1.0.0": 10_000}


@pytest.mark.asyncio
async def test_a_job_that_never_ends_is_waited_for_until_its_timeout() -> None:
    stage = await proving(ENTRY | {"timeout": "5m"})
    await stage.go(300, step=5)
    assert stage.status()["decision"]["reason"] == "Proving"
    await stage.go(90, step=5)
    assert stage.status()["decision"]["reason"] == "EvalInvalid"
    assert "no verdict within 300 s" in stage.status()["message"]


@pytest.mark.asyncio
async def test_the_jobs_own_deadline_is_told_at_once() -> None:
    stage = await proving()
    over(stage, "Failed", "DeadlineExceeded")
    await stage.go(2)
    assert stage.status()["decision"]["reason"] == "EvalInvalid"
    assert "DeadlineExceeded" in stage.status()["message"]


@pytest.mark.asyncio
async def test_a_pods_word_may_come_after_its_jobs_end() -> None:
    stage = await proving()
    job = jobs(stage)[0]
    over(stage, "Complete")
    await stage.go(10)
    assert proofs(stage) == [("golden", "PENDING")]
    end(stage, PASS, job=job)
    await stage.go(2)
    assert stage.shares()["2.0.0"] == 500


@pytest.mark.asyncio
async def test_a_pods_word_that_never_comes_is_no_verdict() -> None:
    stage = await proving()
    over(stage, "Complete")
    await stage.go(60)
    assert stage.status()["decision"]["reason"] == "EvalInvalid"


@pytest.mark.asyncio
async def test_entries_run_one_after_the_other_and_both_count() -> None:
    stage = await proving(ENTRY, SECOND)
    end(stage, PASS)
    await stage.go(4)
    assert stage.shares() == {"1.0.0": 10_000}
    assert proofs(stage) == [("golden", "PASS"), ("more", "PENDING")]
    assert "(2 of 2)" in stage.status()["message"]
    end(stage, PASS)
    await stage.go(2)
    assert stage.shares()["2.0.0"] == 500


@pytest.mark.asyncio
async def test_what_passed_isnt_run_again_when_its_job_is_gone_or_the_operator_is_new() -> None:
    stage = await proving(ENTRY, SECOND)
    end(stage, PASS)
    await stage.go(4)
    first, second = jobs(stage)
    stage.cluster.remove("Job", first["metadata"]["name"])
    await stage.restart()
    await stage.go(10)
    assert [job["metadata"]["name"] for job in jobs(stage)] == [second["metadata"]["name"]]
    assert proofs(stage) == [("golden", "PASS"), ("more", "PENDING")]


@pytest.mark.asyncio
@pytest.mark.parametrize("written", [False, True])
async def test_an_operator_that_dies_around_the_creation_of_a_job_makes_one_and_finds_it_again(
    written: bool,
) -> None:
    stage = Stage()
    spec = {"beforeTraffic": [ENTRY]}
    stage.cluster.put(agent_version("1.0.0", "a"))
    stage.cluster.put(rollout("1.0.0", **spec))
    await stage.restart()
    await stage.go(1)

    def die(_: int, what: str) -> Exception | None:
        return TransientError("cut off") if what.startswith("create Job") else None

    setattr(stage.cluster, "fail_after" if written else "fail", die)
    stage.cluster.put(agent_version("2.0.0", "b"))
    stage.cluster.put(rollout("2.0.0", **spec))
    await stage.go(4)
    assert len(jobs(stage)) == written
    stage.cluster.fail = stage.cluster.fail_after = lambda _, what: None
    await stage.restart()
    await stage.go(4)
    assert len(jobs(stage)) == 1
    end(stage, PASS)
    await stage.go(2)
    assert stage.shares()["2.0.0"] == 500


@pytest.mark.asyncio
async def test_a_job_that_is_there_before_the_watch_tells_is_taken_for_made() -> None:
    stage = await proving()
    plan = Plan((CreateJob(jobs(stage)[0]), Emit("After", "it")), timedelta(0))
    uid = stage.cluster.get("Rollout", "support")["metadata"]["uid"]
    await stage.operator.ticker.writer.executor.carry_out(plan, Key("Rollout", "shop", "support"), uid)
    assert ("After", "it") in stage.cluster.events


@pytest.mark.asyncio
async def test_a_job_that_the_server_refuses_is_said_and_stops_no_other_rollout() -> None:
    stage = Stage()
    stage.cluster.fail = lambda _, what: (
        TerminalError("jobs are forbidden") if what.startswith("create Job") else None
    )
    for name in ("support", "billing"):
        entries = {"beforeTraffic": [ENTRY]} if name == "support" else {}
        stage.cluster.put(agent_version("1.0.0", "a", name))
        stage.cluster.put(rollout("1.0.0", name, **entries))
        if name == "support":
            await stage.restart()
        await stage.go(1)
        stage.cluster.put(agent_version("2.0.0", "b", name))
        stage.cluster.put(rollout("2.0.0", name, **entries))
        await stage.go(4)
    assert stage.shares("billing")["2.0.0"] == 500
    stalled = next(c for c in stage.status()["conditions"] if c["type"] == "Stalled")
    assert (stalled["status"], stalled["message"]) == ("True", "jobs are forbidden")
    assert stage.shares() == {"1.0.0": 10_000}


@pytest.mark.asyncio
async def test_while_it_is_paused_no_job_is_made_and_a_fail_still_rolls_back() -> None:
    stage = await proving(ENTRY, SECOND)
    stage.cluster.annotate("Rollout", "support", paused="true")
    end(stage, PASS)
    await stage.go(10)
    assert (len(jobs(stage)), stage.status()["phase"], proofs(stage)) == (1, "Paused", [("golden", "PASS")])
    stage.cluster.annotate("Rollout", "support", paused="false")
    await stage.go(4)
    assert len(jobs(stage)) == 2
    stage.cluster.annotate("Rollout", "support", paused="true")
    end(stage, FAIL)
    await stage.go(2)
    assert stage.status()["rejected"]["reason"] == "EvalFailed"


@pytest.mark.asyncio
async def test_an_abort_takes_the_job_along() -> None:
    stage = await proving()
    stage.cluster.annotate("Rollout", "support", abort="1")
    await stage.go(2)
    assert stage.status()["rejected"]["reason"] == "Aborted"
    assert jobs(stage) == []


@pytest.mark.asyncio
async def test_another_entry_in_the_middle_must_be_proven_before_the_share_grows() -> None:
    stage = await proving()
    end(stage, PASS)
    await stage.go(2)
    stage.cluster.put(rollout("2.0.0", beforeTraffic=[ENTRY, SECOND]))
    for _ in range(20):
        stage.work()
        await stage.go(1)
    assert stage.shares()["2.0.0"] == 500
    end(stage, PASS)
    for _ in range(10):
        stage.work()
        await stage.go(1)
    assert stage.shares()["2.0.0"] == 5000


@pytest.mark.asyncio
async def test_a_candidate_loses_its_pods_for_long_after_it_was_ready_and_isnt_taken_for_never_ready() -> (
    None
):
    stage = await proving(rollback={"readyDeadline": "1m"})
    await stage.go(120, step=5)

    def one_less(body: Object) -> None:
        body["status"]["readyReplicas"] = 1

    stage.cluster.edit("Deployment", "support-2-0-0", one_less)
    await stage.go(5, pods=False)
    assert stage.status()["decision"]["reason"] == "WaitingForPods"
    await stage.go(5)
    assert stage.status()["decision"]["reason"] == "Proving"


@pytest.mark.asyncio
async def test_a_pods_trouble_is_told() -> None:
    stage = await proving()
    labels = jobs(stage)[0]["spec"]["template"]["metadata"]["labels"]
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    owner = {"kind": "Job", "name": "j", "uid": jobs(stage)[0]["metadata"]["uid"]}
    meta = {"name": "x", "namespace": "shop", "labels": labels, "ownerReferences": [owner]}
    status = {"containerStatuses": [{"name": "proof", "state": waiting}]}
    stage.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "status": status})
    await stage.go(2)
    assert "ImagePullBackOff" in stage.status()["message"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        ({"configMap": {"name": "cases"}}, "it needs ConfigMap cases"),
        ({"secret": {"secretName": "token"}}, "it needs Secret token"),
        ({"persistentVolumeClaim": {"claimName": "journal"}}, "it needs PersistentVolumeClaim journal"),
        ({"secret": {"secretName": "token", "optional": True}}, "within a minute (kubectl describe pod x)"),
        ({"emptyDir": {}}, "within a minute (kubectl describe pod x)"),
    ],
)
async def test_a_job_that_waits_for_what_it_mounts_says_what_that_is(
    kind: dict[str, object], waits: str
) -> None:
    """The kubelet has no word for it but an event, and would wait until the Job's deadline."""
    stage = await proving()
    labels = jobs(stage)[0]["spec"]["template"]["metadata"]["labels"]
    owner = {"kind": "Job", "name": "j", "uid": jobs(stage)[0]["metadata"]["uid"]}
    meta = {"name": "x", "namespace": "shop", "labels": labels, "ownerReferences": [owner]}
    prepared = {
        "type": "PodReadyToStartContainers",
        "status": "False",
        "lastTransitionTime": stage.clock.now().isoformat(),
    }
    creating = {"name": "proof", "state": {"waiting": {"reason": "ContainerCreating"}}}
    status = {"conditions": [prepared], "containerStatuses": [creating]}
    spec = {"volumes": [{"name": "dataset", **kind}]}
    stage.cluster.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status})
    await stage.go(30)
    assert "describe pod" not in stage.status()["message"]
    await stage.go(60)
    assert waits in stage.status()["message"]

    def started(body: Object) -> None:
        body["status"]["containerStatuses"][0]["state"] = {"running": {}}

    stage.cluster.edit("Pod", "x", started)
    await stage.go(2)
    assert "describe pod" not in stage.status()["message"]


@pytest.mark.asyncio
async def test_a_job_of_another_rollout_of_that_name_proves_nothing() -> None:
    stage = await proving()

    def foreign(body: Object) -> None:
        body["metadata"]["ownerReferences"][0]["uid"] = "another"

    name = jobs(stage)[0]["metadata"]["name"]
    stage.cluster.edit("Job", name, foreign)
    end(stage, PASS)
    await stage.go(10)
    assert stage.shares() == {"1.0.0": 10_000}
