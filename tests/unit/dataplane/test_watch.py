"""Following a resource: nothing missed, nothing cleared, silence noticed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agentrollouts.dataplane.telemetry import Telemetry
from agentrollouts.dataplane.watch import (
    BACKOFF_LAST,
    Event,
    ExpiredError,
    Follower,
    Listing,
    SilentError,
    SourceError,
    backoff,
)


class ScriptOverError(Exception):
    """The script has been played to its end."""


class Script:
    """A source that plays a list of answers: a Listing, an error, or the events of one watch (an error ends
    it)."""

    resource = "agentroutes"
    namespace = ""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[str] = []

    def _next(self) -> Any:
        if not self.answers:
            raise ScriptOverError
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def list_all(self) -> Listing:
        self.calls.append("list")
        answer = self._next()
        assert isinstance(answer, Listing)
        return answer

    async def watch(self, version: str):
        self.calls.append(version)
        for item in self._next():
            if isinstance(item, Exception):
                raise item
            yield item


class Names:
    """A sink that keeps names."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def replace(self, listing: Sequence[Any], /) -> None:
        self.names = {obj["metadata"]["name"] for obj in listing}

    def put(self, obj: Any, /) -> None:
        self.names.add(obj["metadata"]["name"])

    def drop(self, obj: Any, /) -> None:
        self.names.discard(obj["metadata"]["name"])


def obj(name: str, version: str = "1") -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version}}


def event(kind: Any, name: str, version: str) -> Event:
    return Event(kind, obj(name, version))


@pytest.fixture
def play(monkeypatch):
    waits: list[float] = []

    async def no_wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("agentrollouts.dataplane.watch.asyncio.sleep", no_wait)

    def run(*answers: Any) -> tuple[Script, Names, Follower, Telemetry, list[float]]:
        script, sink = Script(*answers), Names()
        telemetry = Telemetry(config_age=lambda: 0.0)
        ticks = iter(range(10_000))
        follower = Follower(script, sink, telemetry=telemetry, clock=lambda: float(next(ticks)))
        with pytest.raises(ScriptOverError):
            asyncio.run(follower.run())
        return script, sink, follower, telemetry, waits

    return run


def test_it_resumes_where_a_bookmark_left_off(play):
    first = [event("ADDED", "b", "5"), event("DELETED", "a", "6"), event("BOOKMARK", "", "9")]
    script, sink, *_ = play(Listing([obj("a")], "3"), first, [])
    assert script.calls == ["list", "3", "9", "9"]
    assert sink.names == {"b"}


def test_an_expired_version_means_listing_again(play):
    script, sink, _, telemetry, _ = play(
        Listing([obj("a")], "3"), [ExpiredError("410")], Listing([obj("c")], "8"), []
    )
    assert script.calls == ["list", "3", "list", "8", "8"]
    assert sink.names == {"c"}
    labels = {"resource": "agentroutes", "reason": "expired"}
    assert telemetry.registry.get_sample_value("agentrollouts_router_watch_restarts_total", labels) == 1


@pytest.mark.parametrize("error", [SourceError("refused"), SilentError("nothing heard")])
def test_a_broken_or_silent_stream_resumes_and_clears_nothing(play, error):
    script, sink, follower, *_ = play(
        Listing([obj("a")], "3"), [event("ADDED", "b", "4"), error], [error], []
    )
    assert script.calls == ["list", "3", "4", "4", "4"]
    assert sink.names == {"a", "b"}
    assert follower.synced


def test_an_unreachable_server_is_asked_ever_more_rarely(play):
    _, sink, follower, _, waits = play(*[SourceError("refused")] * 12)
    assert not follower.synced
    assert not sink.names
    assert waits[0] < waits[3] < waits[5]
    assert max(waits) <= BACKOFF_LAST


def test_a_watch_that_ends_at_once_does_not_spin(play):
    *_, waits = play(Listing([], "3"), [], [], [], [])
    assert waits[0] == 0.0
    assert all(wait > 0 for wait in waits[1:])


def test_backoff_is_bounded_and_jittered():
    assert backoff(0, 0.5) == 0.0
    assert backoff(10_000, 0.0) == BACKOFF_LAST
    assert backoff(3, 0.999) >= backoff(3, 0.0) / 2
