"""The kit writes task records by hand, the ledger reads them by its models: whatever an agent hands over, both agree."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrollouts.api.task import (
    MOST_BYTES,
    MOST_TOOL_CALLS,
    TaskCohort,
    TaskFeedback,
    TaskOutcome,
    TaskRecord,
    canonical,
)
from agentrollouts.ledger.intake import NDJSON, read_batch
from agentrollouts_kit.identity import Identity
from agentrollouts_kit.records import MAX_TOOL_CALLS, Body, Draft, write
from agentrollouts_kit.room import MAX_RECORD_BYTES
from agentrollouts_kit.vocabulary import COHORTS, EVENTS, FEEDBACK, OUTCOMES

IDENTITY = Identity("support", "1.2.0", "abababababab", "sha256:" + "ab" * 32, "shop")
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**250, 2**300)
    | st.floats()
    | st.text()
    | st.text(st.characters(categories=["Cs", "Cc"]))
    | st.binary()
    | st.dates()
    | st.decimals()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.text(st.characters(categories=["Cs"])), inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=20,
)
BODIES = st.builds(Body, st.binary(), st.text()) | st.builds(
    Body,
    VALUES.map(lambda value: json.dumps(value, default=str, skipkeys=True).encode()),
    st.just("application/json"),
)
CALLS = st.fixed_dictionaries(
    {
        "name": st.text(max_size=300),
        "arguments": VALUES,
        "result": VALUES,
        "error": st.none() | st.text(max_size=2000),
        "duration_seconds": st.none() | st.floats() | st.integers(),
    }
)


def drafted(*, calls: Any = (), **fields: Any) -> Draft:
    draft = Draft(f"{7:032x}", 1, "user-7", shadow=False)
    draft.finished = draft.started + 1.5
    for name, value in fields.items():
        bare = isinstance(value, Body) or name not in ("input", "output", "expected")
        setattr(draft, name, value if bare else draft.room.copy(value))
    for call in calls:
        draft.add_call(**call)
    return draft


def read(line: bytes) -> TaskRecord:
    records, refusals = read_batch(line, NDJSON, (), namespaces=None)
    assert not refusals
    return records[0]


@given(
    st.fixed_dictionaries(
        {
            "cohort": st.integers(0, len(COHORTS) - 1),
            "session": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
            "shadow": st.booleans(),
            "outcome": st.integers(0, len(OUTCOMES) - 1),
            "input": VALUES | BODIES,
            "output": VALUES | BODIES,
            "expected": VALUES,
            "calls": st.lists(CALLS, max_size=4),
            "events": st.frozensets(st.integers(0, len(EVENTS) - 1)),
            "cost_usd": st.floats(0, 1e300),
            "llm_calls": st.integers(0, 10**6),
            "refusal": st.booleans(),
        }
    )
)
def test_whatever_an_agent_hands_over_the_ledger_takes_as_it_was_written(fields: dict[str, Any]) -> None:
    line, _ = write(drafted(**fields), IDENTITY)
    assert canonical(read(line)).encode() == line


@given(
    st.lists(st.integers(0, 400_000), min_size=3, max_size=3), st.integers(0, 300), st.sampled_from("aé😀\n")
)
def test_a_record_is_cut_until_it_fits_and_says_so(sizes: list[int], calls: int, character: str) -> None:
    texts = [character * (size // len(character.encode())) for size in sizes]
    many = [
        {
            "name": "n" * 128,
            "arguments": 1,
            "result": "r" * 900,
            "error": character * 1024,
            "duration_seconds": 1,
        }
    ]
    draft = drafted(input=texts[0], output=texts[1], expected=texts[2], calls=many * calls)
    line, cut = write(draft, IDENTITY)
    found = read(line)
    assert len(line) <= MAX_RECORD_BYTES
    values = [found.input, found.output, found.expected]
    results = [call.result for call in found.tool_calls]
    kept = values == texts and results == ["r" * 900] * calls
    assert cut != kept
    for value, text in zip(values, texts, strict=True):
        if value != text:
            assert isinstance(value, dict)
            assert value.keys() == {"truncated", "bytes"}


def test_a_cut_value_says_how_large_it_was() -> None:
    line, cut = write(drafted(input="x" * 300_000, output="y"), IDENTITY)
    assert cut
    assert read(line).input == {"truncated": True, "bytes": 300_001}
    assert read(line).output == "y"
    line, cut = write(drafted(input="é" * 140_000, output="y" * 100), IDENTITY)
    assert cut
    assert read(line).input == {"truncated": True, "bytes": 280_002}
    assert read(line).output == "y" * 100


def test_the_largest_record_that_fits_is_left_whole() -> None:
    empty, _ = write(drafted(input=""), IDENTITY)
    most = MAX_RECORD_BYTES - len(empty)
    for size, expected in ((most, False), (most + 1, True)):
        line, cut = write(drafted(input="x" * size), IDENTITY)
        assert cut is expected
        assert canonical(read(line)).encode() == line


def test_limits_and_words_are_the_same_on_both_sides() -> None:
    assert (MAX_RECORD_BYTES, MAX_TOOL_CALLS) == (MOST_BYTES, MOST_TOOL_CALLS)
    for kit, api in ((OUTCOMES, TaskOutcome), (COHORTS, TaskCohort), (FEEDBACK, TaskFeedback)):
        assert kit == api.__args__


def test_what_is_told_of_a_task_arrives() -> None:
    draft = drafted(
        input={"question": "who?", "at": math.inf},
        output=["me"],
        expected="you",
        calls=[
            {
                "name": "lookup",
                "arguments": {"id": 7},
                "result": (1, 2),
                "error": "late",
                "duration_seconds": 2,
            }
        ],
        events=frozenset({EVENTS.index("takeover"), EVENTS.index("tool_failure")}),
        cost_usd=0.0125,
        llm_calls=3,
        outcome=OUTCOMES.index("failure"),
    )
    draft.started, draft.finished = 1_767_225_600.0, 1_767_225_601.25
    assert read(write(draft, IDENTITY).line).model_dump(mode="json", by_alias=True) == {
        "id": draft.id,
        "namespace": "shop",
        "agent": "support",
        "version": "1.2.0",
        "digest": "sha256:" + "ab" * 32,
        "cohort": "stable",
        "session": "cff7534cf90473fb9f6c72d681",
        "startedAt": "2026-01-01T00:00:00.000000Z",
        "finishedAt": "2026-01-01T00:00:01.250000Z",
        "outcome": "failure",
        "input": {"question": "who?", "at": "inf"},
        "output": ["me"],
        "toolCalls": [
            {
                "name": "lookup",
                "arguments": {"id": 7},
                "result": [1, 2],
                "error": "late",
                "durationSeconds": 2.0,
            }
        ],
        "expected": "you",
        "feedback": ["takeover"],
        "costDollars": "0.0125",
        "llmCalls": 3,
        "refusal": False,
        "shadow": False,
    }


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (Body(b'{"a": [1, "x"]}', "application/json; charset=utf-8"), {"a": [1, "x"]}),
        (Body(b"{torn", "application/json"), "{torn"),
        (Body(b"[" * 100_000, "application/json"), "[" * 100_000),
        (Body(b"data: one\n\ndata: two\n\n", "text/event-stream"), "onetwo"),
        (Body("grüß".encode(), "text/plain"), "grüß"),
        (Body(b"q=1", "application/x-www-form-urlencoded"), "q=1"),
        (Body(b"\xff\xfe", "text/plain"), None),
        (Body(b"\x89PNG", "image/png"), None),
        (Body(b"", "application/json"), None),
        (Body(b'{"n": 1e999}', "application/problem+json"), {"n": "inf"}),
        (Body(b"[" * 40 + b"]" * 40, "application/json"), {"truncated": True, "bytes": 80}),
    ],
)
def test_bodies_are_told_as_what_they_are(body: Body, told: object) -> None:
    assert read(write(drafted(input=body), IDENTITY).line).input == told


def test_the_ledger_takes_a_record_of_the_largest_size_and_none_beyond() -> None:
    room = MOST_BYTES - len(canonical(read(write(drafted(input=""), IDENTITY).line)).encode())
    for size, taken in ((room, 1), (room + 1, 0)):
        record = json.loads(write(drafted(), IDENTITY).line) | {"input": "x" * size}
        records, refusals = read_batch(json.dumps([record]).encode(), "application/json", (), namespaces=None)
        assert (len(records), len(refusals)) == (taken, 1 - taken)
