from __future__ import annotations

import json

import pytest

from support_agent.settings import Settings


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


@pytest.mark.asyncio
async def test_the_release_says_which_model_answers(serve, openai_server, monkeypatch, tmp_path):
    url, seen = openai_server
    monkeypatch.setenv("OPENAI_BASE_URL", url)
    monkeypatch.setenv("OPENAI_API_KEY", "k-test")
    used = {"provider": "openai", "name": "desk", "snapshot": "2", "parameters": {}}
    (tmp_path / "model.json").write_text(json.dumps({"steps": {"answer": used}}))
    async with serve(AGENT_RELEASE_DIR=str(tmp_path)) as served:
        assert (await served.client.post("/v1/tasks", json={"text": "Where is my order A-1000?"})).is_success
    assert {request["model"] for request in seen} == {"desk-2"}


def test_a_release_without_the_step_or_with_another_provider_is_refused(tmp_path):
    used = {"provider": "other", "name": "desk", "snapshot": "2", "parameters": {}}
    path = tmp_path / "models.json"
    path.write_text(json.dumps({"steps": {"answer": used}}))
    with pytest.raises(ValueError, match="'offline' or 'openai:<model name>'; got 'other:desk-2'"):
        Settings.from_env({"AGENT_MODELS_FILE": str(path)})
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_text(json.dumps({"steps": {"triage": used}}))
    with pytest.raises(ValueError, match="no model for step 'answer'; it has triage"):
        Settings.from_env({"AGENT_MODELS_FILE": str(elsewhere)})
    assert (
        Settings.from_env({"AGENT_MODELS_FILE": str(elsewhere), "SUPPORT_MODEL": "offline"}).model
        == "offline"
    )
