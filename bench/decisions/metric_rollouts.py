"""One rollout under one rule that watches several metrics, until it is stopped or the day ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from bench.decisions.metric_scenarios import MetricScenario
from bench.decisions.metric_streams import MetricStream, Seen

Verdict = Literal["hold", "advance", "rollback", "alert_split"]


class MetricLook(NamedTuple):
    """The sums at a tick, and the configured shares of candidate, control and stable. ``size``: tasks of a session."""

    tick: int
    size: int
    shares: tuple[float, ...]
    seen: Seen


class Answer(NamedTuple):
    """What a rule says, and the metric it blames."""

    verdict: Verdict
    blame: str | None = None


MetricRule = Callable[[MetricLook], Answer]
"""Called first at tick -1, with the history alone and its answer ignored; then every tick."""
MetricMaker = Callable[[], MetricRule]


class MetricEnd(NamedTuple):
    """How a rollout ended; no blame: nothing stopped it. ``tasks`` are the candidate's that were finished by then."""

    blame: str | None
    tick: int
    tasks: float
    advanced: int | None
    """The first tick at which it could have advanced, had there been no gate."""
    looks: int
    seconds: float


def watch(scenario: MetricScenario, stream: MetricStream, rule: MetricRule) -> MetricEnd:
    """One rollout."""
    rule(MetricLook(-1, scenario.size, scenario.shares(-1), stream.past))
    advanced, seconds, tasks = None, 0.0, 0.0
    for tick in range(scenario.ticks):
        look = MetricLook(tick, scenario.size, scenario.shares(tick), stream.seen(tick))
        before = time.thread_time()
        verdict, blame = rule(look)
        seconds += time.thread_time() - before
        tasks = look.seen.rows[0][0] * scenario.size
        if verdict in {"rollback", "alert_split"}:
            return MetricEnd(blame or "nothing", tick, tasks, advanced, tick + 1, seconds)
        if verdict == "advance" and advanced is None:
            advanced = tick
    return MetricEnd(None, scenario.ticks - 1, tasks, advanced, scenario.ticks, seconds)
