"""The HTTP interface over a real SQLite file, without a socket."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentrollouts.ledger import app as app_module
from agentrollouts.ledger.holdout import held_out
from agentrollouts.ledger.redaction import PATTERNS
from tests.ledger.tasks import document
from tests.unit.ledger.conftest import TOKENS, Ask, told


def test_each_item_of_a_batch_is_answered_for_itself(make: Callable[..., Ask]) -> None:
    ask = make()
    answer = ask(
        "POST", "/v1/tasks", [document(1), {"id": "x"}, document(2, agent="Support"), document(1), 7]
    )
    assert answer.status_code == 202
    body = answer.json()
    assert (body["stored"], body["duplicates"]) == (1, 1)
    assert [(item["index"], item["id"]) for item in body["rejected"]] == [
        (1, "x"),
        (2, f"{2:032x}"),
        (4, None),
    ]
    assert body["rejected"][1]["error"].startswith("agent: ")
    assert len(ask("GET", "/v1/tasks").json()["tasks"]) == 1


def test_lines_are_read_where_the_content_type_says_so(make: Callable[..., Ask]) -> None:
    ask = make()
    lines = b"\n".join(
        [json.dumps(document(1)).encode(), b"", b"{torn", json.dumps(document(2)).encode() + b"\n"]
    )
    body = ask(
        "POST", "/v1/tasks", lines, headers={"content-type": "application/x-ndjson; charset=utf-8"}
    ).json()
    assert body["stored"] == 2
    assert [item["index"] for item in body["rejected"]] == [1]
    assert "expected JSON" in body["rejected"][0]["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{torn", "expected JSON"),
        (b'{"id": 1}', "expected a JSON array of tasks"),
        (json.dumps([{}] * 1001).encode(), "at most 1000 tasks"),
    ],
)
def test_what_is_no_batch_is_refused_whole(make: Callable[..., Ask], body: bytes, words: str) -> None:
    answer = make()("POST", "/v1/tasks", body)
    assert answer.status_code == 400
    assert words in told(answer)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"finishedAt": "2026-01-01T00:00:00+01:00"}, "RFC 3339 in UTC"),
        ({"finishedAt": 1767225600}, "finishedAt"),
        ({"outcome": "fine"}, "outcome"),
        ({"costDollars": "1e3"}, "costDollars"),
        ({"unknown": 1}, "unknown: Extra inputs"),
        ({"namespace": "The_Shop"}, "namespace"),
        ({"toolCalls": [{"name": "x", "durationSeconds": -1}]}, "toolCalls.0.durationSeconds"),
        ({"output": "é" * 131_072}, "at most 262144 bytes"),
    ],
)
def test_a_task_that_is_none_is_refused_with_what_is_wrong(
    make: Callable[..., Ask], fields: dict[str, Any], words: str
) -> None:
    (refusal,) = make()("POST", "/v1/tasks", [document(1, **fields)]).json()["rejected"]
    assert words in refusal["error"]


def test_numbers_beyond_json_are_refused(make: Callable[..., Ask]) -> None:
    ask = make()
    line = json.dumps(document(1, input="@")).replace('"@"', "1e999").encode()
    (refusal,) = ask("POST", "/v1/tasks", b"[" + line + b"]").json()["rejected"]
    assert "finite" in refusal["error"]
    assert ask("POST", "/v1/tasks", b"[NaN]").status_code == 400


def test_a_refusal_never_quotes_what_a_user_wrote(make: Callable[..., Ask]) -> None:
    answer = make()(
        "POST", "/v1/tasks", [document(1, input={"secret": "hunter2"}, outcome="hunter2", llmCalls="hunter2")]
    )
    assert answer.json()["rejected"]
    assert "hunter2" not in answer.text


def test_a_body_that_is_too_large_is_refused(
    make: Callable[..., Ask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "MOST_BODY_BYTES", 1000)
    ask = make()
    assert ask("POST", "/v1/tasks", b"[" + b" " * 998 + b"]").status_code == 202
    answer = ask("POST", "/v1/tasks", b"[" + b" " * 999 + b"]")
    assert answer.status_code == 413
    assert "send it in parts" in told(answer)


def test_pages_are_followed_by_their_cursors(make: Callable[..., Ask]) -> None:
    ask = make()
    ask("POST", "/v1/tasks", [document(number) for number in range(5)])
    seen, cursor = [], ""
    while True:
        page = ask("GET", f"/v1/tasks?namespace=shop&agent=support&limit=2{cursor}").json()
        seen += [int(task["id"], 16) for task in page["tasks"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [4, 3, 2, 1, 0]
    assert [
        int(task["id"], 16) for task in ask("GET", "/v1/tasks?since=2026-01-01T00:00:03Z").json()["tasks"]
    ] == [4, 3]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "from 1 to 200"),
        ("limit=201", "from 1 to 200"),
        ("limit=ten", "from 1 to 200"),
        ("cursor=bm9uZQ", "cursor"),
        ("cursor=%F0", "cursor"),
        ("outcome=fine", "success, failure, refused, escalated"),
        ("since=yesterday", "RFC 3339"),
        ("sort=up", "got sort"),
        ("agent=a&agent=b", "each parameter once"),
        ("agent=support", "namespace of the agent 'support'"),
    ],
)
def test_a_wrong_parameter_is_named(make: Callable[..., Ask], query: str, words: str) -> None:
    answer = make()("GET", f"/v1/tasks?{query}")
    assert answer.status_code == 400
    assert words in told(answer)


def test_a_request_about_one_task_may_name_its_namespace_and_nothing_else(make: Callable[..., Ask]) -> None:
    ask = make()
    ask("POST", "/v1/tasks", [document(1)])
    path, label = f"/v1/tasks/{1:032x}", {"expected": 1}
    for method, place, body, good in (("GET", path, None, 200), ("POST", f"{path}/expected", label, 204)):
        for query, status in (
            ("", good),
            ("?namespace=shop", good),
            ("?namespace=desk", 404),
            ("?namespace=", 404),
            ("?namespace=shop&namespace=shop", 400),
            ("?agent=support", 400),
        ):
            assert ask(method, place + query, body).status_code == status, (method, query)
    assert "got agent" in told(ask("GET", f"{path}?agent=support"))


def test_failures_need_an_agent_and_are_at_most_500(make: Callable[..., Ask]) -> None:
    ask = make()
    assert "agent=NAME" in told(ask("GET", "/v1/failures"))
    assert "agent=NAME" in told(ask("GET", "/v1/failures?namespace=shop"))
    assert "namespace of the agent" in told(ask("GET", "/v1/failures?agent=support"))
    assert ask("GET", "/v1/failures?namespace=shop&agent=support&limit=500").status_code == 200
    assert ask("GET", "/v1/failures?namespace=shop&agent=support&limit=501").status_code == 400


def test_a_label_comes_later(make: Callable[..., Ask]) -> None:
    ask = make(redaction=(PATTERNS["emails"],))
    ask("POST", "/v1/tasks", [document(1, output="cat")])
    path = f"/v1/tasks/{1:032x}"
    assert (
        ask("POST", f"{path}/expected", {"expected": "ask me@shop.example", "outcome": "failure"}).status_code
        == 204
    )
    assert ask("GET", path).json()["expected"] == "ask [email]"
    assert len(ask("GET", "/v1/failures?namespace=shop&agent=support").json()["tasks"]) == 1
    assert ask("POST", f"/v1/tasks/{2:032x}/expected", {"expected": 1}).status_code == 404
    assert ask("POST", f"{path}/expected", {"outcome": "failure"}).status_code == 400
    assert ask("POST", f"{path}/expected", b"[").status_code == 400


def test_evidence_is_immutable(make: Callable[..., Ask]) -> None:
    ask = make()
    path = "/v1/evidence/shop/support/3"
    assert ask("GET", path).status_code == 404
    assert [ask("PUT", path, body).status_code for body in (b'{"a":1}', b'{"a":1}', b'{"a":2}')] == [
        201,
        200,
        409,
    ]
    assert ask("GET", path).content == b'{"a":1}'
    assert ask("GET", "/v1/evidence/shop/support").json() == {"attempts": [3]}
    assert ask("PUT", path, b'{"uid":"u-2"}').status_code == 201
    assert ask("GET", f"{path}?uid=u-2").content == b'{"uid":"u-2"}'
    assert ask("GET", f"{path}?uid=").content == b'{"a":1}'
    assert ask("GET", f"{path}?uid=u-3").status_code == 404
    assert ask("GET", "/v1/evidence/shop/support").json() == {"attempts": [3]}
    for wrong in (
        "/v1/evidence/shop/support/0",
        "/v1/evidence/Shop/support/1",
        f"/v1/evidence/shop/support/{2**31}",
    ):
        assert ask("PUT", wrong, b"{}").status_code == 400
    for body in (b"[]", b"{", b"", b'{"uid":1}', b'{"uid":"%s"}' % (b"u" * 64)):
        assert ask("PUT", "/v1/evidence/shop/support/4", body).status_code == 400


MAY = {
    ("POST", "/v1/tasks"): {"agent"},
    ("GET", "/v1/tasks"): {"reader", "improver", "operator"},
    ("GET", f"/v1/tasks/{1:032x}"): {"reader", "improver", "operator"},
    ("GET", "/v1/failures?namespace=shop&agent=support"): {"reader", "improver", "operator"},
    ("POST", f"/v1/tasks/{1:032x}/expected"): {"agent"},
    ("PUT", "/v1/evidence/shop/support/1"): {"operator"},
    ("GET", "/v1/evidence/shop/support/1"): {"reader", "operator"},
    ("GET", "/v1/evidence/shop/support"): {"reader", "operator"},
}


@pytest.mark.parametrize(("method", "path"), MAY)
def test_each_role_may_do_its_part_and_nothing_else(make: Callable[..., Ask], method: str, path: str) -> None:
    ask = make(tokens=True)
    for role in TOKENS:
        status = ask(method, path, b"[]", role=role).status_code
        assert (status == 403) == (role not in MAY[method, path]), (role, status)
    nobody = ask(method, path, b"[]")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")
    forged = ask(method, path, b"[]", headers={"authorization": "Bearer forged-token-of-nobody"})
    assert forged.status_code == 401


def test_probes_and_metrics_need_no_token(make: Callable[..., Ask]) -> None:
    ask = make(tokens=True)
    assert [ask("GET", path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3


def test_the_improver_never_meets_a_task_that_is_held_out(make: Callable[..., Ask]) -> None:
    ask = make(tokens=True, holdout=5_000)
    ask("POST", "/v1/tasks", [document(number, outcome="failure") for number in range(40)], role="agent")
    hidden = {number for number in range(40) if held_out(f"{number:032x}", 5_000)}
    for path in ("/v1/tasks?limit=200", "/v1/failures?namespace=shop&agent=support"):
        seen = {int(task["id"], 16) for task in ask("GET", path, role="improver").json()["tasks"]}
        assert seen == set(range(40)) - hidden
        assert len(ask("GET", path, role="reader").json()["tasks"]) == 40
    one = f"/v1/tasks/{min(hidden):032x}"
    assert [ask("GET", one, role=role).status_code for role in ("improver", "reader")] == [404, 200]


def test_a_hook_that_raises_stores_nothing_of_the_record_and_is_counted(make: Callable[..., Ask]) -> None:
    def hook(text: str) -> str:
        if "bad" in text:
            raise RuntimeError(text)
        return text

    ask = make(redaction=(hook,))
    body = ask("POST", "/v1/tasks", [document(1), document(2, output=["bad secret"])]).json()
    assert body["stored"] == 1
    assert body["rejected"][0]["error"] == "the redaction raised RuntimeError: nothing of this task is stored"
    assert [int(task["id"], 16) for task in ask("GET", "/v1/tasks").json()["tasks"]] == [1]
    metrics = ask("GET", "/metrics").text
    assert 'agentrollouts_ledger_tasks_total{result="redaction_failed"} 1.0' in metrics
    assert 'agentrollouts_ledger_tasks_total{result="stored"} 1.0' in metrics
    assert ask("POST", f"/v1/tasks/{1:032x}/expected", {"expected": "bad"}).status_code == 422


def test_a_database_that_cannot_be_used_is_503_with_when_to_come_back(
    make: Callable[..., Ask], tmp_path: Path
) -> None:
    ask = make(path=tmp_path / "no-such-folder" / "ledger.db")
    for method, path in (("POST", "/v1/tasks"), ("GET", "/v1/tasks"), ("GET", "/readyz")):
        answer = ask(method, path, [document(1)])
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
        assert "nothing was stored" in told(answer)
    assert ask("GET", "/healthz").status_code == 200
    assert "agentrollouts_ledger_unavailable_total 3.0" in ask("GET", "/metrics").text
    (tmp_path / "no-such-folder").mkdir()
    assert ask("POST", "/v1/tasks", [document(1)]).json()["stored"] == 1


def test_a_token_that_is_changed_holds_at_once(make: Callable[..., Ask], tmp_path: Path) -> None:
    ask = make(tokens=True)
    old = {"authorization": f"Bearer {TOKENS['agent']}"}
    new = {"authorization": "Bearer the-next-token-of-agents"}
    (tmp_path / "tokens" / "agent").write_text(f"{TOKENS['agent']}\nthe-next-token-of-agents\n")
    assert [ask("POST", "/v1/tasks", [], headers=header).status_code for header in (old, new)] == [202, 202]
    (tmp_path / "tokens" / "agent").write_text("the-next-token-of-agents\n")
    assert [ask("POST", "/v1/tasks", [], headers=header).status_code for header in (old, new)] == [401, 202]
