"""A process in replay mode: what it refuses, what its tools get, and that it counts for nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from agentrollouts_kit import (
    OutcomeMiddleware,
    Reporter,
    ToolReplayError,
    current_task,
    task,
    tool,
    use_reporter,
)
from agentrollouts_kit.pydantic_ai import record_run
from agentrollouts_kit.replay import Replay
from agentrollouts_kit.settings import Settings

TOKEN = "ab" * 16


class Replayer:
    """Whoever serves the recorded calls, and what was told to them."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.reports: list[dict[str, Any]] = []
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                found = self.path == f"/v1/replays/{TOKEN}"
                body = json.dumps({"task": "t", "calls": outer.calls}).encode() if found else b"{}"
                self.send_response(200 if found else 404)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                outer.reports.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()


@pytest.fixture
def replayer() -> Iterator[Replayer]:
    made = Replayer()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


done: list[str] = []
"""What was really done."""


@tool
def refund(order: str, reason: str = "none") -> str:
    done.append(f"refund {order}")
    return f"refunded {order}"


@tool(name="look")
async def look_up(order: str) -> dict[str, str]:
    done.append(f"look {order}")
    return {"order": order}


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


Work = Callable[[], Any]


def served(reporter: Reporter, work: Work) -> OutcomeMiddleware:
    """An agent that does `work` for every request and answers what came of it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with task() as t:
            try:
                found = work()
                found = await found if asyncio.iscoroutine(found) else found
                answer = {"answer": found}
            except ToolReplayError as error:
                answer = {"error": str(error)}
            t.add_cost(0.25)
            t.success()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return OutcomeMiddleware(app, reporter)


def ask(
    app: OutcomeMiddleware, *, token: str | None = TOKEN, method: str = "POST"
) -> tuple[int, dict[str, str], Any]:
    headers = [] if token is None else [(b"x-agent-replay", token.encode())]
    scope = {"type": "http", "method": method, "path": "/", "query_string": b"", "headers": headers}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], found, json.loads(body) if body else None


@pytest.fixture
def replaying(make_reporter: Callable[..., Reporter], replayer: Replayer) -> Callable[..., OutcomeMiddleware]:
    def make(work: Work, **settings: Any) -> OutcomeMiddleware:
        return served(make_reporter(replay=True, replay_url=replayer.url, **settings), work)

    return make


def called(name: str, arguments: Any, result: Any = None, error: str | None = None) -> dict[str, Any]:
    return {"name": name, "arguments": arguments, "result": result, "error": error}


def test_a_recorded_call_gets_the_recorded_result_and_nothing_is_done(
    replaying: Any, replayer: Replayer
) -> None:
    replayer.calls = [called("refund", {"order": "A-1"}, "refunded A-1 back then")]
    status, headers, answer = ask(replaying(lambda: refund("A-1")))
    assert (status, headers["x-agent-replay"], answer) == (
        200,
        "answers",
        {"answer": "refunded A-1 back then"},
    )
    assert done == []
    assert [(call["name"], call["arguments"], call["source"]) for call in replayer.reports[0]["calls"]] == [
        ("refund", {"order": "A-1"}, "recorded")
    ]


def test_arguments_match_whatever_their_order_their_defaults_and_the_form_of_a_number() -> None:
    replay = Replay([called("f", {"a": 1.0, "b": {"y": 2, "x": 1}, "limit": 10}, "found")])
    for arguments in ({"b": {"x": 1, "y": 2}, "a": 1}, {"a": 1, "b": {"x": 1.0, "y": 2}, "limit": 10}):
        assert replay.answer("f", arguments, defaults={"limit": 10}).result == "found"
    for arguments in ({"a": 1, "b": {"x": 1, "y": 3}}, {"a": True, "b": {"x": 1, "y": 2}}, None):
        assert replay.answer("f", arguments, defaults={"limit": 10}).source == "refused"
    assert replay.answer("g", {"a": 1, "b": {"x": 1, "y": 2}}, defaults={"limit": 10}).source == "refused"


def test_the_nth_same_call_gets_the_nth_result_and_then_the_last_one_again(
    replaying: Any, replayer: Replayer
) -> None:
    replayer.calls = [
        called("look", {"order": "A-1"}, "first"), called("look", {"order": "A-2"}, "other"),
        called("look", {"order": "A-1"}, "second"),
    ]  # fmt: skip

    async def work() -> list[Any]:
        return [await look_up(order) for order in ("A-1", "A-1", "A-2", "A-1")]

    assert ask(replaying(work))[2] == {"answer": ["first", "second", "other", "second"]}
    sources = [call["source"] for call in replayer.reports[0]["calls"]]
    assert sources == ["recorded", "recorded", "recorded", "repeated"]
    assert done == []


def test_a_call_without_a_record_is_refused_and_the_agent_hears_of_it(
    replaying: Any, replayer: Replayer
) -> None:
    replayer.calls = [called("refund", {"order": "A-1"}, "yes")]
    _, _, answer = ask(replaying(lambda: refund("A-2")))
    assert "nothing was done" in answer["error"]
    assert done == []
    (call,) = replayer.reports[0]["calls"]
    assert (call["source"], call["arguments"]) == ("refused", {"order": "A-2"})


def test_a_safe_tool_runs_for_real_where_the_record_has_no_such_call(
    replaying: Any, replayer: Replayer
) -> None:
    replayer.calls = [called("look", {"order": "A-1"}, "recorded")]

    async def work() -> list[Any]:
        return [await look_up("A-1"), await look_up("A-2")]

    assert ask(replaying(work, safe_tools=("look",)))[2] == {"answer": ["recorded", {"order": "A-2"}]}
    assert done == ["look A-2"]
    assert replayer.reports[0]["safeTools"] == ["look"]
    assert [call["source"] for call in replayer.reports[0]["calls"]] == ["recorded", "live"]


def test_a_recorded_error_is_raised_as_the_framework_wants_it(replaying: Any, replayer: Replayer) -> None:
    class ToolFailedError(ToolReplayError):
        pass

    @tool(fails_with=ToolFailedError)
    def pay(amount: int) -> None:
        done.append("paid")

    def work() -> str:
        try:
            pay(5)
        except ToolFailedError as error:
            return str(error)
        return "paid"

    replayer.calls = [called("pay", {"amount": 5}, error="the card was declined")]
    assert ask(replaying(work))[2] == {"answer": "the card was declined"}
    assert done == []


def test_a_replayed_task_counts_for_nobody_and_tells_what_it_took(replaying: Any, replayer: Replayer) -> None:
    def work() -> bool:
        current_task().llm_call(input_tokens=7, output_tokens=3, cost_usd=0.5)
        current_task().tool_call("lookup", arguments={"q": 1})
        current_task().record_output({"label": "told"})
        return current_task().shadow

    app = replaying(work)
    assert ask(app)[2] == {"answer": True}, (
        "an agent that does nothing that lasts in a shadow does nothing in a replay"
    )
    (report,) = replayer.reports
    assert report["usage"] == {"costDollars": 0.75, "llmCalls": 1, "inputTokens": 7, "outputTokens": 3}
    assert (report["outcome"], report["output"], report["hasOutput"]) == ("success", {"label": "told"}, True)
    assert [(call["name"], call["source"]) for call in report["calls"]] == [("lookup", "told")]
    assert total(app.reporter) == 0


def total(reporter: Reporter) -> float:
    counted = (
        "agent_tasks",
        "agent_shadow_tasks",
        "agent_task_cost_usd",
        "agent_tool_calls",
        "agent_sessions_assigned",
    )
    families = [family for family in reporter.collect() if family.name in counted]
    assert len(families) == len(counted)
    return sum(
        sample.value for family in families for sample in family.samples if sample.name.endswith("_total")
    )


def test_a_process_that_isnt_in_replay_mode_refuses_and_runs_nothing(make_reporter: Any) -> None:
    app = served(make_reporter(), lambda: refund("A-1"))
    for method in ("POST", "OPTIONS", "GET"):
        status, headers, answer = ask(app, method=method)
        assert (status, "x-agent-replay" in headers) == (501, False)
        assert "AGENT_REPLAY=1" in answer["error"]
    assert done == []
    assert ask(app, token=None)[2] == {"answer": "refunded A-1"}
    assert total(app.reporter) > 0


def test_in_replay_mode_a_request_that_is_none_does_nothing_either(
    replaying: Any, replayer: Replayer
) -> None:
    app = replaying(lambda: refund("A-1"))
    status, headers, answer = ask(app, token=None)
    assert (status, "x-agent-replay" in headers, "nothing was done" in answer["error"]) == (200, False, True)
    assert (done, replayer.asked, total(app.reporter)) == ([], [], 0)


def test_outside_of_a_request_a_tool_does_nothing_in_replay_mode(
    make_reporter: Any, replayer: Replayer
) -> None:
    use_reporter(make_reporter(replay=True, replay_url=replayer.url))
    with pytest.raises(ToolReplayError, match="nothing was done"):
        refund("A-1")
    assert done == []


def test_who_asks_beforehand_hears_that_replays_are_answered(replaying: Any, replayer: Replayer) -> None:
    status, headers, _ = ask(replaying(lambda: refund("A-1")), method="OPTIONS")
    assert (status, headers["x-agent-replay"]) == (204, "answers")
    assert replayer.asked == []


@pytest.mark.parametrize("token", ["", "../../etc/passwd", "AB" * 16, "ab" * 17, "ab" * 15 + "a\n"])
def test_a_header_never_becomes_a_path(replaying: Any, replayer: Replayer, token: str) -> None:
    status, headers, _ = ask(replaying(lambda: refund("A-1")), token=token)
    assert (status, "x-agent-replay" in headers, replayer.asked, done) == (400, False, [], [])


def test_without_the_record_nothing_is_run(replaying: Any, replayer: Replayer) -> None:
    status, headers, answer = ask(replaying(lambda: refund("A-1"), safe_tools=("refund",)), token="cd" * 16)
    assert (status, "x-agent-replay" in headers) == (502, False)
    assert "404" in answer["error"]
    assert done == []


def test_ordinarily_a_tool_reports_what_it_was_asked_and_answered(make_reporter: Any) -> None:
    reporter = make_reporter(tools=("refund",))
    use_reporter(reporter)
    noted: list[tuple[Any, ...]] = []

    class Result:
        class usage:  # noqa: N801
            requests, input_tokens, output_tokens, cost = 1, 1, 1, None

        def new_messages(self) -> list[Any]:
            class Part:
                part_kind, tool_name, outcome, tool_call_id, content = (
                    "tool-return",
                    "refund",
                    "success",
                    "1",
                    "x",
                )

            class Message:
                parts = (Part,)

            return [Message]

    with task() as t:
        assert refund("A-1") == "refunded A-1"
        record_run(t, Result())  # type: ignore[arg-type]
    noted = [
        sample.value
        for family in reporter.collect() if family.name == "agent_tool_calls"
        for sample in family.samples if sample.labels.get("tool") == "refund" and sample.name.endswith("_total")
    ]  # fmt: skip
    assert sum(noted) == 1, "the tool has told it, so the run doesn't once more"
    assert done == ["refund A-1"]


def test_a_tool_is_what_it_was_to_a_framework_that_looks_at_it() -> None:
    assert (refund.__name__, refund.__annotations__["order"], asyncio.iscoroutinefunction(look_up)) == (
        "refund",
        "str",
        True,
    )
    with pytest.raises(TypeError, match="generator"):

        @tool
        def pieces() -> Iterator[int]:
            yield 1


@pytest.mark.parametrize(
    "env", [{"AGENT_REPLAY": "1"}, {"AGENT_REPLAY": "true", "AGENT_REPLAY_URL": "replay:8199"}]
)
def test_replay_mode_without_a_replayer_ends_the_agent_at_its_start(env: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="AGENT_REPLAY_URL"):
        Settings.from_env(env)


def test_the_environment_turns_it_on() -> None:
    found = Settings.from_env(
        {"AGENT_REPLAY": "1", "AGENT_REPLAY_URL": "http://r:1", "AGENT_SAFE_TOOLS": "a, b"}
    )
    assert (found.replay, found.safe_tools) == (True, ("a", "b"))
