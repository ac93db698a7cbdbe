"""What the verbs do to a real API server, with the rights of those who call them."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.integration.cli.conftest import DIGEST, TIME, Program, Shop


def test_get_shows_the_rollout_its_gate_and_its_pods(program: Program, shop: Shop) -> None:
    shown = program("get", "support", by=shop.eve)
    assert (shown.status, shown.err) == (0, "")
    for words in (
        "? AwaitingApproval",
        "1.2.0 waits at 50%",
        "gate  support-1.2.0-1  Pending",
        "0 of 2 approvals",
    ):
        assert words in shown.out


def test_the_objects_themselves(program: Program, shop: Shop) -> None:
    one = json.loads(program("get", "support", "-o", "json", by=shop.eve).out)
    assert (one["kind"], one["status"]["phase"]) == ("Rollout", "AwaitingApproval")
    assert "managedFields" not in one["metadata"]
    several = yaml.safe_load(program("list", "-o", "yaml", by=shop.eve).out)
    assert [item["metadata"]["name"] for item in several["items"]] == ["support"]


def test_list_in_one_namespace_and_in_all(program: Program, shop: Shop) -> None:
    assert "support  ? AwaitingApproval  1.1.0   1.2.0      50%" in program("list", by=shop.eve).out
    everywhere = program("list", "-A", by=shop.eve)
    assert everywhere.status == 1
    assert f"{shop.eve.user} may not list rollouts.agentrollouts.io in all namespaces" in everywhere.err


def test_history_before_there_is_any(program: Program, shop: Shop) -> None:
    assert "support has no history yet" in program("history", "support", by=shop.eve).err


@pytest.mark.usefixtures("policies")
def test_two_people_approve_and_are_named(program: Program, shop: Shop) -> None:
    first = program("approve", "support", "--comment", "looked at the diff", by=shop.ada)
    assert first.out == f"{shop.ada.user} approved 100% for support 1.2.0\n  {DIGEST}\n"
    second = program("approve", "support-1.2.0-1", by=shop.ben)
    assert second.status == 0, second.err
    written = shop.annotations(shop.gate())
    assert written["approved-by"] == f"{shop.ada.user}\n{shop.ben.user}"
    assert written["approve"].startswith(DIGEST)


@pytest.mark.usefixtures("policies")
def test_who_may_not_approve_is_told_which_verb_is_missing(program: Program, shop: Shop) -> None:
    refused = program("approve", "support", by=shop.eve)
    assert refused.status == 1
    assert refused.err == (
        f"error: {shop.eve.user} may not approve or reject support-1.2.0-1; ask for the RBAC verb approve on"
        f" approvalgates.agentrollouts.io in namespace {shop.namespace}\n"
    )
    assert shop.annotations(shop.gate()) == {}


@pytest.mark.usefixtures("older_policies")
def test_an_older_server_gets_the_names_it_asks_for(program: Program, shop: Shop) -> None:
    assert program("approve", "support", by=shop.ada).status == 0
    assert program("approve", "support", by=shop.ben).status == 0
    assert shop.annotations(shop.gate())["approved-by"] == f"{shop.ada.user}\n{shop.ben.user}"
    assert program("reject", "support", "--reason", "on second thoughts", by=shop.ada).status == 0
    assert shop.annotations(shop.gate())["rejected-by"] == shop.ada.user


@pytest.mark.usefixtures("policies")
def test_rejecting_needs_a_reason_and_is_signed(program: Program, shop: Shop) -> None:
    assert program("reject", "support", by=shop.ada).status == 2
    assert "say why" in program("reject", "support", "--reason", " ", by=shop.ada).err
    done = program("reject", "support", "--reason", "wrong answers", by=shop.ada)
    assert "rejected support 1.2.0; it is rolled back" in done.out
    written = shop.annotations(shop.gate())
    assert (written["reject"], written["rejected-by"]) == ("wrong answers", shop.ada.user)


def test_a_closed_gate_takes_no_answer(program: Program, shop: Shop) -> None:
    shop.set_status("gate", "support-1.2.0-1", phase="Closed")
    assert (
        "gate support-1.2.0-1 is Closed and takes no more answers"
        in program("approve", "support", by=shop.ada).err
    )


def test_an_agent_that_waits_for_nobody_says_so(program: Program, shop: Shop) -> None:
    shop.set_status("rollout", "support", phase="Healthy", message="1.1.0 serves all traffic", candidate=None)
    refused = program("approve", "support", by=shop.ada)
    assert "support waits at no gate: it is Healthy, 1.1.0 serves all traffic" in refused.err
    assert "Gates that wait" in refused.err


def test_steering_writes_annotations(program: Program, shop: Shop) -> None:
    assert (
        "1.2.0 holds at 50% until `agentrollout resume support`"
        in program("pause", "support", by=shop.dan).out
    )
    assert shop.annotations(shop.rollout())["paused"] == "true"
    assert program("resume", "support", by=shop.dan).out == "support: goes on\n"
    written = shop.annotations(shop.rollout())
    assert "paused" not in written
    assert written["resume"]
    assert "all traffic goes to 1.1.0" in program("abort", "support", "--reason", "too dear", by=shop.dan).out
    assert shop.annotations(shop.rollout())["abort"].endswith(" too dear")


def test_steering_needs_the_right_to_change_rollouts(program: Program, shop: Shop) -> None:
    refused = program("pause", "support", by=shop.ada)
    assert refused.status == 1
    assert refused.err == (
        f"error: {shop.ada.user} may not patch rollouts.agentrollouts.io in namespace {shop.namespace};"
        " ask for the RBAC verb patch on it (the ClusterRole edit has it)\n"
    )


def test_a_wrong_name_gets_those_that_exist(program: Program, shop: Shop) -> None:
    refused = program("get", "suport", by=shop.eve)
    assert (
        refused.err == f"error: there is no Rollout suport in namespace {shop.namespace}; there is support\n"
    )
    assert refused.status == 1


def test_status_tells_a_pipeline(program: Program, shop: Shop) -> None:
    waiting = program("status", "support", by=shop.eve)
    assert waiting.status == 2
    assert waiting.out == (
        "AwaitingApproval: 1.2.0 waits at 50% for approval of 100% [1.2.0 50%, 1.1.0 50%]\n"
    )
    timed_out = program("status", "support", "--watch", "--timeout", "1s", by=shop.eve)
    assert (timed_out.status, timed_out.err) == (2, "not decided within 1 s\n")
    shop.set_status("rollout", "support", phase="RolledBack", message="1.1.0 serves")
    assert program("status", "support", "--watch", by=shop.eve).status == 1
    shop.set_status(
        "rollout", "support", phase="Healthy", stable={"version": "1.2.0", "digest": DIGEST, "since": TIME}
    )
    assert program("status", "support", "--watch", by=shop.eve).status == 0
    assert program("status", "nobody", by=shop.eve).status == 3
    assert program("status", "support", "--timeout", "soon", by=shop.eve).status == 2


def test_contexts_and_namespaces_as_with_kubectl(program: Program, shop: Shop) -> None:
    other = program("get", "support", "--context", "elsewhere", by=shop.eve)
    assert f"{shop.eve.user} may not get rollouts.agentrollouts.io in namespace default" in other.err
    assert program("get", "support", "--context", "elsewhere", "-n", shop.namespace, by=shop.eve).status == 0
    assert program("get", "support", "--kubeconfig", str(shop.eve.kubeconfig)).status == 0
    unknown = program("get", "support", "--context", "nowhere", by=shop.eve)
    assert "there is no context 'nowhere'; the kubeconfig has elsewhere, here" in unknown.err


def test_no_kubeconfig_and_no_server_are_told_apart(program: Program, shop: Shop) -> None:
    assert "there is no kubeconfig file /nowhere/config" in program("list").err
    text = shop.eve.kubeconfig.read_text()
    server = yaml.safe_load(text)["clusters"][0]["cluster"]["server"]
    shop.eve.kubeconfig.write_text(text.replace(server, "https://127.0.0.1:1"))
    lost = program("list", by=shop.eve)
    assert lost.status == 1
    assert "API server not reachable" in lost.err
    assert "is this the right context?" in lost.err
