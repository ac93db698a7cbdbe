"""Which events are worth sending, and that recording them never gets in the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentrollouts.kube.connection import Lane, Request
from agentrollouts.kube.events import BURST, QUIET, REMEMBERED, WAITING, EventRecorder, RateLimit, event_of
from agentrollouts.ports import Reference, TerminalError

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
ABOUT = Reference("agentrollouts.io/v1alpha1", "Rollout", "shop", "support", "uid-1")


def allowed(
    limit: RateLimit, message: str, *, about: Reference = ABOUT, later: timedelta = timedelta(0)
) -> bool:
    return limit.allows(about, "Advanced", message, now=NOW + later)


def test_the_same_message_is_said_once_in_five_minutes() -> None:
    limit = RateLimit()
    assert allowed(limit, "to 5 %")
    assert not allowed(limit, "to 5 %", later=QUIET - timedelta(seconds=1))
    assert allowed(limit, "to 5 %", later=QUIET)


def test_other_messages_and_other_objects_are_news() -> None:
    limit = RateLimit()
    assert allowed(limit, "to 5 %")
    assert allowed(limit, "to 20 %")
    assert allowed(limit, "to 5 %", about=Reference("v1", "Pod", "shop", "support"))
    assert limit.allows(ABOUT, "RolledBack", "to 5 %", now=NOW)


def test_chatter_ends_and_starts_again() -> None:
    limit = RateLimit()
    assert sum(allowed(limit, f"success {n}") for n in range(100)) == BURST
    assert allowed(limit, "success at last", later=QUIET)


def test_memory_is_bounded_by_forgetting_the_longest_untouched() -> None:
    limit = RateLimit()
    for number in range(REMEMBERED + 5):
        allowed(limit, "to 5 %", about=Reference("v1", "Pod", "shop", f"p-{number}"))
    assert len(limit._sent) == REMEMBERED
    assert not allowed(limit, "to 5 %", about=Reference("v1", "Pod", "shop", f"p-{REMEMBERED}"))
    assert allowed(limit, "to 5 %", about=Reference("v1", "Pod", "shop", "p-0"))


def test_an_object_of_the_cluster_has_its_event_in_default() -> None:
    node = Reference("v1", "Node", "", "worker", "uid-2")
    event = event_of(node, reason="Lost", note="gone", type="Warning", now=NOW)
    assert event["metadata"]["namespace"] == "default"
    assert event["eventTime"] == "2026-01-05T09:00:00.000000Z"


class Sink:
    """Stands for the connection; waits, refuses or takes."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.refuses = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, request: Request, *, lane: Lane = "ordinary") -> Mapping[str, Any]:
        await self.gate.wait()
        if self.refuses:
            raise TerminalError("events are forbidden")
        self.taken.append(request.body)
        return {}


@pytest.mark.asyncio
async def test_closing_sends_what_waits() -> None:
    sink = Sink()
    recorder = EventRecorder(sink, now=lambda: NOW)
    for step in (5, 20, 50):
        recorder.record(ABOUT, reason="Advanced", message=f"to {step} %", type="Normal")
    assert sink.taken == []
    await recorder.close()
    assert [event["note"] for event in sink.taken] == ["to 5 %", "to 20 %", "to 50 %"]


@pytest.mark.asyncio
async def test_a_refused_event_is_logged_and_the_next_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    sink = Sink()
    sink.refuses = True
    recorder = EventRecorder(sink, now=lambda: NOW)
    with caplog.at_level(logging.WARNING):
        recorder.record(ABOUT, reason="Advanced", message="to 5 %", type="Normal")
        await recorder.close()
    assert "events are forbidden" in caplog.text
    sink.refuses = False
    recorder.record(ABOUT, reason="Advanced", message="to 20 %", type="Normal")
    await recorder.close()
    assert len(sink.taken) == 1


@pytest.mark.asyncio
async def test_too_many_are_dropped_and_counted_and_a_hanging_server_ends_with_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agentrollouts.kube.events.DRAIN", 0.05)
    sink = Sink()
    sink.gate.clear()
    recorder = EventRecorder(sink, now=lambda: NOW)
    for number in range(WAITING + 7):
        about = Reference("v1", "Pod", "shop", f"p-{number}")
        recorder.record(about, reason="Advanced", message="to 5 %", type="Normal")
    assert recorder.dropped == 7
    await recorder.close()
    assert sink.taken == []
