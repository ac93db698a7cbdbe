from __future__ import annotations

import pytest


@pytest.mark.asyncio
async def test_a_real_endpoint_is_a_setting(serve, openai_server, monkeypatch):
    url, seen = openai_server
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "k-test")
    async with serve(SUPPORT_MODEL="openai:desk-1", AGENT_VERSION="3.0.0") as served:
        response = await served.client.post("/v1/tasks", json={"text": "Where is my order A-1000?"})
        assert response.json() == {"answer": "On its way.", "label": "shipped", "version": "3.0.0"}
        # A-1000 is delivered: the records say so, whatever a real model says.
        assert served.count("agent_tasks_total", outcome="failure") == 1
        assert served.count("agent_llm_tokens_total", direction="input") == 200
        assert served.count("agent_tool_calls_total", tool="lookup_order", outcome="success") == 1
    assert [request["path"] for request in seen] == ["/v1/chat/completions"] * 2
    assert seen[0]["authorization"] == "Bearer k-test"
    assert seen[0]["model"] == "desk-1"
    assert "furniture shop" in seen[0]["messages"][0]["content"]
    assert {tool["function"]["name"] for tool in seen[0]["tools"]} > {
        "lookup_order",
        "refund_order",
        "search_faq",
    }


@pytest.mark.asyncio
async def test_an_endpoint_that_fails_is_a_500_and_a_failed_task(serve, openai_server, monkeypatch):
    url, seen = openai_server
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "k-test")
    async with serve(SUPPORT_MODEL="openai:broken") as served:
        response = await served.client.post("/v1/tasks", json={"text": "Where is my order A-1000?"})
        assert response.status_code == 500
        assert "no answer (" in response.json()["error"]
        assert served.count("agent_tasks_total", outcome="failure") == 1
    assert len(seen) == 1
