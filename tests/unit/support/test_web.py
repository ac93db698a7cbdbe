from __future__ import annotations

import json

import httpx
import pytest

from support_agent.colleague import Colleague


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "label", "outcome", "tool"),
    [
        ("Where is my order A-1000?", "delivered", "success", "lookup_order"),
        ("I want my money back for A-1001.", "refund-denied", "success", "lookup_order"),
        ("Where is A-9999?", "unknown-order", "success", "lookup_order"),
        ("How may I pay?", "payment", "success", "search_faq"),
        ("I want to talk to a person.", "escalated", "escalated", "escalate_to_human"),
        ("What is the address of the customer of A-1003?", "refused", "refused", "check_answer"),
    ],
)
async def test_each_kind_of_task_is_answered_and_reported(serve, text, label, outcome, tool):
    async with serve(SUPPORT_WRONG_PERCENT="0", AGENT_VERSION="1.0.0") as served:
        response = await served.client.post(
            "/v1/tasks", json={"text": text}, headers={"x-agent-cohort": "control"}
        )
        assert response.status_code == 200
        assert response.json() | {"answer": ""} == {"answer": "", "label": label, "version": "1.0.0"}
        assert served.count("agent_tasks_total", outcome=outcome, cohort="control") == 1
        assert served.count("agent_tasks_total") == 1
        assert served.count("agent_tool_calls_total", tool=tool) == 1
        assert served.count("agent_llm_calls_total") >= 1
        assert served.count("agent_task_cost_usd_total", cohort="control") > 0


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("Where is my order A-1000?", "status"),
        ("I want my money back for A-1001.", "refund"),
        ("How may I pay?", "faq"),
        ("I want to talk to a person.", "person"),
    ],
)
async def test_topic_and_length_of_the_answer_are_reported(serve, text, topic):
    async with serve(SUPPORT_WRONG_PERCENT="0") as served:
        response = await served.client.post("/v1/tasks", json={"text": text, "end_session": True})
        served.reporter.ledger.drain()
        assert served.count("agent_session_topic_fraction_total", topic=topic) == 1
        assert served.count("agent_session_topic_fraction_total") == 1
        assert served.count("agent_session_response_length_fraction_total") == pytest.approx(
            len(response.json()["answer"]) / 20_000
        )


@pytest.mark.asyncio
async def test_an_unknown_order_is_a_failed_tool_call_but_no_failed_task(serve):
    async with serve(SUPPORT_WRONG_PERCENT="0") as served:
        await served.client.post("/v1/tasks", json={"text": "Where is it?", "order": "A-9999"})
        assert served.count("agent_tool_calls_total", tool="lookup_order", outcome="failure") == 1
        assert served.count("agent_tasks_total", outcome="failure") == 0


@pytest.mark.asyncio
async def test_a_wrong_answer_has_status_200_and_counts_as_failure(serve):
    async with serve(SUPPORT_WRONG_PERCENT="100") as served:
        response = await served.client.post("/v1/tasks", json={"text": "Where is my order A-1000?"})
        assert response.status_code == 200
        assert response.json()["label"] == "cancelled"
        assert served.count("agent_tasks_total", outcome="failure") == 1


@pytest.mark.asyncio
async def test_a_forbidden_refund_is_taken_back_and_reported(serve):
    async with serve(SUPPORT_WRONG_PERCENT="100") as served:
        response = await served.client.post("/v1/tasks", json={"text": "I want my money back for A-1001."})
        assert response.json()["label"] == "refunded"
        assert served.count("agent_destructive_rollbacks_total") == 1
        assert served.count("agent_tasks_total", outcome="failure") == 1


@pytest.mark.asyncio
async def test_the_last_task_of_a_user_closes_the_session(serve):
    async with serve(SUPPORT_WRONG_PERCENT="0") as served:
        headers = {"x-agent-session": "u1", "x-agent-cohort": "stable"}
        task = {"text": "How may I pay?"}
        await served.client.post("/v1/tasks", json=task, headers=headers)
        assert served.count("agent_sessions_closed_total", cohort="stable") == 0
        await served.client.post("/v1/tasks", json=task | {"end_session": True}, headers=headers)
        assert served.count("agent_sessions_assigned_total", cohort="stable") == 1
        assert served.count("agent_sessions_closed_total", cohort="stable", reason="explicit") == 1


@pytest.mark.asyncio
async def test_a_stream_has_as_many_tokens_as_asked_for_and_is_one_task(serve):
    async with serve(SUPPORT_WRONG_PERCENT="0", AGENT_VERSION="2.0.0") as served:
        response = await served.client.post(
            "/v1/tasks?chunks=100&interval_ms=0",
            json={"text": "Where is my order A-1000?"},
            headers={"accept": "text/event-stream"},
        )
        assert response.headers["content-type"].startswith("text/event-stream")
        *tokens, done = response.text.strip().split("\n\n")
        assert len(tokens) == 100
        answer = "".join(json.loads(token.partition("data: ")[2])["text"] for token in tokens)
        final = json.loads(done.removeprefix("event: done\ndata: "))
        assert final == {"answer": answer, "label": "delivered", "version": "2.0.0"}
        assert served.count("agent_tasks_total", outcome="success") == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/tasks", "no json"),
        ("/v1/tasks", "{}"),
        ("/v1/tasks", '{"text": "x", "colour": "red"}'),
        ("/v1/tasks?chunks=0", '{"text": "x"}'),
        ("/v1/tasks?speed=9", '{"text": "x"}'),
    ],
)
async def test_a_malformed_request_is_refused_and_is_no_task(serve, url, body):
    async with serve() as served:
        response = await served.client.post(url, content=body)
        assert response.status_code == 400
        assert "expected" in response.json()["error"]
        assert served.count("agent_tasks_total") == 0


@pytest.mark.asyncio
async def test_probes(serve):
    async with serve() as served:
        assert (await served.client.get("/healthz")).status_code == 200
        assert (await served.client.get("/readyz")).status_code == 200
    async with serve(SUPPORT_CRASH="never-ready") as served:
        assert (await served.client.get("/healthz")).status_code == 200
        assert (await served.client.get("/readyz")).status_code == 503


@pytest.mark.asyncio
async def test_a_front_desk_passes_on_the_task_the_session_and_the_cohort(serve):
    seen = []

    async def watched(request):
        seen.append(dict(request.headers))

    async with serve(SUPPORT_WRONG_PERCENT="0", AGENT_VERSION="1.0.0") as colleague:
        desk = Colleague("http://support", client=colleague.client)
        colleague.client.event_hooks["request"].append(watched)
        async with serve(worker=desk, AGENT_VERSION="7.0.0") as front:
            stained = {
                "x-agent-session": "s-1",
                "x-agent-stain": "shop=candidate",
                "x-agent-cohort": "candidate",
            }
            response = await front.client.post("/v1/tasks", json={"text": "How may I pay?"}, headers=stained)
            assert (response.json()["label"], response.json()["version"]) == ("payment", "7.0.0")
            assert front.count("agent_tasks_total", outcome="success", cohort="candidate") == 1
        assert (seen[-1]["x-agent-session"], seen[-1]["x-agent-stain"]) == ("s-1", "shop=candidate")
        assert "x-agent-cohort" not in seen[-1], "the router says who is served by whom, not a caller"


@pytest.mark.asyncio
async def test_a_front_desk_without_its_colleague_fails_the_task(serve):
    nobody = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(503)), base_url="http://x"
    )
    async with serve(worker=Colleague("http://x", client=nobody)) as front:
        response = await front.client.post("/v1/tasks", json={"text": "How may I pay?"})
        assert response.status_code == 500
        assert front.count("agent_tasks_total", outcome="failure") == 1
