"""From a sampled request to the score of its session, and every way on which there is none. The worker runs in the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentrollouts_kit import OutcomeMiddleware, Reporter, feedback, propagation_headers, shadow_scorer, task
from agentrollouts_kit.capture import MAX_ANSWER_BYTES, MAX_REQUEST_BYTES
from agentrollouts_kit.context import RequestContext
from agentrollouts_kit.vocabulary import COHORTS
from tests.kit.reading import Reading
from tests.unit.kit.stable import Stable, serving

Make = Callable[..., Reporter]
SCORE = "output_similarity"


@pytest.fixture
def stable() -> Iterator[Stable]:
    with serving() as made:
        yield made


@pytest.fixture
def sampling(make_reporter: Make, stable: Stable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reporter]:
    """A reporter that samples everything and has no threads: `work` is called by the test."""
    monkeypatch.setattr(shadow_scorer, "WORKERS", 0)

    def make(**settings: Any) -> Reporter:
        shadows = {"shadow_percent": 100, "shadow_url": stable.url, "shadow_field": "answer"}
        return make_reporter(scores=("toxicity",), **{**shadows, **settings})

    return make


def work(reporter: Reporter) -> None:
    reporter.shadows._queue.put(None)
    reporter.shadows._work()


async def answering(scope: Any, receive: Any, send: Any) -> None:
    """Answers `yes`, and does what the body says."""
    asked = b""
    while (message := await receive()).get("more_body"):
        asked += message["body"]
    wish = json.loads(asked + message["body"] or b"{}")
    with task() as t:
        if wish.get("ends"):
            t.end_session()
        t.add_cost(wish.get("cost", 0))
    status = wish.get("status", 200)
    kind = (b"content-type", wish.get("kind", "application/json").encode())
    await send({"type": "http.response.start", "status": status, "headers": [kind, *wish.get("headers", [])]})
    answer = json.dumps({"answer": "yes", "filler": "x" * wish.get("filler", 0)})
    await send({"type": "http.response.body", "body": answer[:5].encode(), "more_body": True})
    await send({"type": "http.response.body", "body": answer[5:].encode()})


def post(
    reporter: Reporter, *, cohort: str = "candidate", user: str = "ann", app: Any = answering, **wish: Any
) -> httpx.Response:
    headers = {"x-agent-cohort": cohort, "x-agent-session": user, "cookie": "a=b", "x-tenant": "blue"}
    return send(reporter, headers, app=app, **wish)


def send(reporter: Reporter, headers: dict[str, str], *, app: Any = answering, **wish: Any) -> httpx.Response:
    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(OutcomeMiddleware(app, reporter))
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            return await client.post("/v1/tasks?lang=en", json=wish, headers=headers)

    return asyncio.run(go())


def score(reporter: Reporter, cohort: str = "candidate") -> tuple[float, float]:
    """Closed sessions that have a score, and the sum."""
    reporter.ledger.sweep()
    reading = Reading.of(reporter)
    names = ("agent_session_scores_total", "agent_session_score_sum_total")
    count, total = (reading(name, score=SCORE, cohort=cohort) for name in names)
    return count, total


def dropped(reporter: Reporter) -> dict[str, float]:
    samples = [s for s in Reading.of(reporter).samples if s.name == "agent_shadow_dropped_total" and s.value]
    return {sample.labels["reason"]: sample.value for sample in samples}


@pytest.mark.parametrize("cohort", ["candidate", "control"])
@pytest.mark.parametrize(("text", "value"), [("Yes", 1.0), ("never", 0.0)])
def test_the_first_task_of_a_session_gives_its_score(
    sampling: Make, stable: Stable, cohort: str, text: str, value: float
) -> None:
    reporter = sampling()
    stable.says(text)
    post(reporter, cohort=cohort)
    post(reporter, cohort=cohort)
    work(reporter)
    post(reporter, cohort=cohort, ends=True)
    work(reporter)
    assert score(reporter, cohort) == (1, value)
    assert (len(stable.asked), dropped(reporter)) == (2, {})
    (_, target, headers, body) = stable.asked[1]
    assert (target, json.loads(body)) == ("/v1/tasks?lang=en", {})
    assert headers["x-agent-shadow"] == cohort
    assert not {"cookie", "x-agent-session", "x-agent-cohort", "x-tenant"} & headers.keys()


def test_headers_go_along_where_they_are_named(sampling: Make, stable: Stable) -> None:
    reporter = sampling(shadow_headers=("X-Tenant",))
    post(reporter)
    work(reporter)
    assert stable.asked[1][2]["x-tenant"] == "blue"


@pytest.mark.parametrize("cohort", ["stable", "none"])
def test_other_cohorts_are_not_sampled(sampling: Make, stable: Stable, cohort: str) -> None:
    reporter = sampling()
    post(reporter, cohort=cohort)
    work(reporter)
    assert (stable.asked, dropped(reporter)) == ([], {})


def test_a_shadow_is_never_sampled_itself_nor_anything_after_the_end(sampling: Make) -> None:
    reporter, scope = sampling(), {"headers": []}
    asking = COHORTS.index("candidate")
    assert reporter.shadows.sample(scope, RequestContext(cohort=asking)) is not None
    assert reporter.shadows.sample(scope, RequestContext(cohort=asking, shadow=True)) is None
    reporter.shadows.stop()
    assert reporter.shadows.sample(scope, RequestContext(cohort=asking)) is None


@pytest.mark.parametrize(("chance", "sampled"), [(0.249, True), (0.25, False)])
def test_so_many_percent_are_sampled(
    sampling: Make, stable: Stable, monkeypatch: pytest.MonkeyPatch, chance: float, sampled: bool
) -> None:
    reporter = sampling(shadow_percent=25)
    reporter.shadows._chance = lambda: chance
    post(reporter)
    work(reporter)
    assert bool(stable.asked) is sampled


def test_nothing_is_sampled_unless_asked_for(make_reporter: Make, stable: Stable) -> None:
    reporter = make_reporter(shadow_url=stable.url)
    post(reporter)
    assert reporter.shadows._threads == []
    assert SCORE not in reporter.settings.scores


def test_a_session_that_ends_waits_for_its_score(sampling: Make) -> None:
    reporter = sampling()
    post(reporter, ends=True)
    assert Reading.of(reporter)("agent_sessions_closed_total") == 0
    post(reporter)
    assert Reading.of(reporter)("agent_sessions_assigned_total") == 2
    work(reporter)
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="explicit") == 1
    assert score(reporter) == (1, 1)


def test_a_score_never_lands_in_the_users_next_session(
    sampling: Make, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = sampling(session_idle_seconds=10)
    post(reporter)
    clock.now += 10
    with monkeypatch.context() as patch:
        patch.setattr(reporter.shadows, "_chance", lambda: 1.0)
        post(reporter)
    work(reporter)
    assert dropped(reporter) == {"session_closed": 1}
    clock.now += 10
    assert score(reporter) == (0, 0)
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="idle") == 2


def test_a_late_task_of_an_answered_request_holds_nothing(sampling: Make) -> None:
    reporter = sampling()
    later: list[Any] = []

    async def leaving(scope: Any, receive: Any, send: Any) -> None:
        async def afterwards() -> None:
            await gone.wait()
            with task() as t:
                t.end_session()

        gone = asyncio.Event()
        later.append((gone, asyncio.create_task(afterwards())))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def go() -> None:
        headers = {"x-agent-cohort": "candidate", "x-agent-session": "ann"}
        transport = httpx.ASGITransport(OutcomeMiddleware(leaving, reporter))
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            await client.post("/", headers=headers)
        (gone, background) = later[0]
        gone.set()
        await background

    asyncio.run(go())
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="explicit") == 1


@pytest.mark.parametrize(
    ("wish", "of_stable", "reason"),
    [
        ({"status": 500}, {}, "unusable"),
        ({"kind": "text/csv"}, {}, "unusable"),
        ({"filler": MAX_ANSWER_BYTES}, {}, "unusable"),
        ({"pad": "x" * MAX_REQUEST_BYTES}, {}, "unusable"),
        ({}, {"body": b'{"reply": "yes"}'}, "unusable"),
        ({}, {"word": ""}, "refused"),
        ({}, {"status": 503}, "failed"),
    ],
)
def test_what_gives_no_score_is_counted_and_lets_the_session_close(
    sampling: Make, stable: Stable, wish: dict[str, Any], of_stable: dict[str, Any], reason: str
) -> None:
    reporter = sampling()
    vars(stable).update(of_stable)
    assert post(reporter, ends=True, **wish).status_code == wish.get("status", 200)
    work(reporter)
    assert (dropped(reporter), score(reporter)) == ({reason: 1}, (0, 0))
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="explicit") == 1
    assert Reading.of(reporter)("agent_reporting_problems_total") == 0


def test_an_app_that_does_not_read_the_request_cannot_be_asked_again(sampling: Make, stable: Stable) -> None:
    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        with task():
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    reporter = sampling()
    post(reporter, app=deaf)
    work(reporter)
    assert (dropped(reporter), stable.asked) == ({"unusable": 1}, [])


def test_an_app_that_raises_lets_its_session_go(sampling: Make) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        with task() as t:
            t.end_session()
            raise RuntimeError("boom")

    reporter = sampling()
    with pytest.raises(RuntimeError, match="boom"):
        post(reporter, app=broken)
    assert dropped(reporter) == {"unusable": 1}
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="explicit") == 1


def raising(mine: str, theirs: str) -> float:
    raise RuntimeError("no model")


@pytest.mark.parametrize("similarity", [raising, lambda *_: 1.5, lambda *_: float("nan"), lambda *_: None])
def test_a_similarity_that_errs_costs_its_score_and_nothing_else(sampling: Make, similarity: Any) -> None:
    reporter = sampling(similarity=similarity)
    post(reporter, ends=True)
    work(reporter)
    assert (dropped(reporter), score(reporter)) == ({"similarity_error": 1}, (0, 0))
    assert Reading.of(reporter)("agent_reporting_problems_total") == 1


def test_a_similarity_of_ones_own(sampling: Make, stable: Stable) -> None:
    reporter = sampling(similarity=lambda mine, theirs: 0.25 if (mine, theirs) == ("yes", "no") else 1)
    stable.says("no")
    post(reporter, ends=True)
    work(reporter)
    assert score(reporter) == (1, 0.25)


def test_a_full_queue_and_a_minutes_cap_drop(sampling: Make, clock: Any) -> None:
    reporter = sampling(shadow_per_minute=shadow_scorer.QUEUE + 1)
    for number in range(shadow_scorer.QUEUE + 3):
        post(reporter, user=f"user-{number}", ends=True)
    assert dropped(reporter) == {"queue": 1, "rate": 2}
    reporter.shadows._queue.get_nowait()
    clock.now += 60
    post(reporter, ends=True)
    assert dropped(reporter) == {"queue": 1, "rate": 2}


def test_who_waits_too_long_in_the_queue_is_not_asked(sampling: Make, stable: Stable, clock: Any) -> None:
    reporter = sampling(shadow_timeout_seconds=5)
    post(reporter, ends=True)
    clock.now += 5.1
    work(reporter)
    assert (dropped(reporter), stable.asked) == ({"queue": 1}, [])


def test_stopping_drops_what_waits_and_samples_nothing_more(sampling: Make, stable: Stable) -> None:
    reporter = sampling()
    post(reporter, ends=True)
    report = reporter.drain_blocking(5)
    post(reporter, user="bob", ends=True)
    work(reporter)
    assert (dropped(reporter), stable.asked, report.abandoned) == ({"stopping": 1}, [], 0)
    assert Reading.of(reporter)("agent_sessions_closed_total", reason="explicit") == 2


def test_stopping_while_stable_is_asked(sampling: Make) -> None:
    def stopping(mine: str, theirs: str) -> float:
        reporter.shadows.stop()
        # Took the word that ends `work` out of the queue, with all that waited there.
        reporter.shadows._queue.put(None)
        return 1

    reporter = sampling(similarity=stopping)
    post(reporter, ends=True)
    work(reporter)
    assert (dropped(reporter), score(reporter)) == ({"stopping": 1}, (0, 0))


def test_a_killed_process_leaves_its_session_to_the_next_one_without_a_score(
    sampling: Make, tmp_path: Path
) -> None:
    dying = sampling(state_dir=str(tmp_path))
    post(dying, ends=True)
    # What a kill leaves: the file, with a session that is to close and nobody who could give it a score.
    dying.shadows._waiting.clear()
    dying.close()
    next_one = sampling(state_dir=str(tmp_path))
    assert Reading.of(next_one)("agent_sessions_closed_total", reason="explicit") == 1
    assert score(next_one) == (0, 0)


# Of the one who is asked.

SHADOW = {"x-agent-shadow": "control", "x-agent-cohort": "stable", "x-agent-session": "ann"}


def counted(reporter: Reporter) -> dict[str, float]:
    """Every counter that is not zero, by name."""
    found: dict[str, float] = {}
    for sample in Reading.of(reporter).samples:
        if sample.value and "cohort" in sample.labels:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def test_a_shadow_counts_for_nobody_and_shows_what_it_cost(sampling: Make, stable: Stable) -> None:
    reporter = sampling(shadow_answers=True)
    assert send(reporter, {**SHADOW, "x-agent-session-end": "true"}, cost=0.5).json()["answer"] == "yes"
    work(reporter)
    assert counted(reporter) == {"agent_shadow_tasks_total": 1, "agent_shadow_cost_usd_total": 0.5}
    assert Reading.of(reporter)("agent_shadow_tasks_total", cohort="control") == 1
    assert (stable.asked, reporter.ledger.open_sessions) == ([], 0)


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_an_agent_that_did_not_say_so_is_never_asked(reporter: Reporter, method: str) -> None:
    async def never(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the agent must not see it")

    async def go() -> httpx.Response:
        transport = httpx.ASGITransport(OutcomeMiddleware(never, reporter))
        async with httpx.AsyncClient(transport=transport, base_url="http://agent") as client:
            return await client.request(method, "/v1/tasks", headers=SHADOW)

    answer = asyncio.run(go())
    assert (answer.status_code, answer.headers["x-agent-shadow"]) == (501, "refuses")
    assert "AGENT_SHADOW_ANSWERS" in answer.json()["error"]
    assert counted(reporter) == {}


def test_an_agent_knows_a_shadow_and_asks_others_as_one(sampling: Make) -> None:
    seen: list[Any] = []

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        with task() as t, task() as inner:
            seen.append((t.shadow, inner is t, propagation_headers(), feedback("takeover")))
            t.score(SCORE, 1)
            t.end_session()
        await answering(scope, receive, send)

    reporter = sampling(shadow_answers=True)
    with task(reporter=reporter) as mine:
        assert not mine.shadow
    before = counted(reporter)
    send(reporter, SHADOW, app=looking)
    assert seen == [(True, True, {"x-agent-shadow": "control"}, False)]
    assert counted(reporter) == before | {"agent_shadow_tasks_total": 2}


def test_a_shadow_gives_no_feedback_on_a_real_session(sampling: Make) -> None:
    said: list[bool] = []

    async def unhappy(scope: Any, receive: Any, send: Any) -> None:
        said.append(reporter.feedback("ann", "thumbs_down", cohort="candidate"))
        await answering(scope, receive, send)

    reporter = sampling(shadow_answers=True)
    post(reporter)
    send(reporter, SHADOW, app=unhappy)
    assert said == [False]
    assert "agent_feedback_total" not in counted(reporter)


@pytest.mark.parametrize(("answers", "sent"), [(True, ["websocket.accept"]), (False, ["websocket.close"])])
def test_a_websocket_is_let_in_or_not(sampling: Make, answers: bool, sent: list[str]) -> None:
    async def chat(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    seen: list[str] = []

    async def note(message: Any) -> None:
        seen.append(message["type"])

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    headers = [(name.encode(), value.encode()) for name, value in SHADOW.items()]
    app = OutcomeMiddleware(chat, sampling(shadow_answers=answers))
    asyncio.run(app({"type": "websocket", "headers": headers}, receive, note))
    assert seen == sent
