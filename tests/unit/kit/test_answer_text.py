"""Which text of an answer is compared, and where there is none."""

from __future__ import annotations

import pytest

from agentrollouts_kit.answer_text import answer_text

JSON, EVENTS = "application/json; charset=utf-8", "text/event-stream"


@pytest.mark.parametrize(
    ("body", "kind", "field", "text"),
    [
        (b'{"answer": "yes", "id": 1}', JSON, "answer", "yes"),
        (b'{"choices": [{"message": {"content": "hi"}}]}', JSON, "choices.0.message.content", "hi"),
        (b'"yes"', JSON, "", "yes"),
        (b'{"answer": ""}', "application/problem+json", "answer", ""),
        ("héllo".encode(), "text/plain", "", "héllo"),
        (b'event: done\ndata: {"answer": "yes"}\n\n', EVENTS, "answer", "yes"),
        (
            b'data: {"d": {"t": "Hel"}}\r\n\r\ndata: {"d": {"t": "lo"}}\r\n\r\ndata: [DONE]\r\n\r\n',
            EVENTS,
            "d.t",
            "Hello",
        ),
        (b"data: one\ndata: two\n\ndata:three\n\n", EVENTS, "", "one\ntwothree"),
    ],
)
def test_the_text_is_found(body: bytes, kind: str, field: str, text: str) -> None:
    assert answer_text(body, kind, field=field) == text


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (b'{"answer": "yes"}', JSON, ""),
        (b'{"answer": "yes"}', JSON, "reply"),
        (b'{"answer": 3}', JSON, "answer"),
        (b'{"choices": []}', JSON, "choices.0"),
        (b'{"choices": {}}', JSON, "choices.0.x"),
        (b"[1", JSON, "answer"),
        (b"[" * 100_000, JSON, "answer"),
        (b"\xff\xfe", "text/plain", ""),
        (b"yes", "text/plain", "answer"),
        (b"yes", "application/octet-stream", ""),
        (b"yes", "", ""),
        (b": comment\n\n", EVENTS, "answer"),
    ],
)
def test_no_text_is_no_answer_to_compare(body: bytes, kind: str, field: str) -> None:
    assert answer_text(body, kind, field=field) is None
