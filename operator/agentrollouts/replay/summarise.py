"""From the compared tasks to the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

from pydantic import JsonValue

from agentrollouts.core.statistics import Interval
from agentrollouts.replay.attempt import Attempt, Lane, recorded_calls
from agentrollouts.replay.calls import Call
from agentrollouts.replay.comparison import Rule
from agentrollouts.replay.disagreement import Change, Compared
from agentrollouts.replay.errors import ReplayError
from agentrollouts.replay.judge import Judgement, Limits, judge
from agentrollouts.replay.plan import Plan
from agentrollouts.replay.report import (
    Amount,
    Bounds,
    ChangedTask,
    Difference,
    Disagreement,
    LaneReport,
    RecordReport,
    Report,
    RuleReport,
    SideReport,
    TasksReport,
)

MOST_SHOWN: Final = 8_192
"""Bytes of JSON of one value in the report; of a larger one its size is told."""


def summarised(
    tasks: Sequence[Compared], plan: Plan, rule: Rule, limits: Limits, *, asked: int, urls: Mapping[Lane, str]
) -> Report:
    """The report.

    Raises:
        ReplayError: the answers of one lane came from several versions.
    """
    found = judge(tasks, limits)
    return Report(
        verdict=found.verdict.value,
        message=found.message,
        rule=RuleReport(
            compare=rule.compare,
            answer=rule.answer,
            ignore=rule.ignore,
            threshold=rule.threshold,
            tools=rule.tools,
            max_disagreement=limits.disagreement,
            max_noise=limits.noise,
            embedding_model=rule.embedding_model,
        ),
        tasks=TasksReport(
            asked=asked,
            done=len(tasks),
            left_out=dict(plan.left_out),
            recorded_by=dict(Counter(task.record.version for task in tasks)),
        ),
        disagreement=_disagreement(found),
        candidate=_lane(
            [task.candidate for task in tasks], [task.by_candidate for task in tasks], urls[Lane.CANDIDATE]
        ),
        incumbent=_lane(
            [task.incumbent for task in tasks], [task.by_incumbent for task in tasks], urls[Lane.INCUMBENT]
        ),
        changed=tuple(sorted(_changed(tasks), key=lambda task: _ORDER.index(task.by))),
    )


_ORDER = ("candidate", "both", "incumbent")


def _disagreement(found: Judgement) -> Disagreement:
    return Disagreement(
        excess=_bounds(found.excess),
        candidate=_bounds(found.candidate),
        incumbent=_bounds(found.incumbent),
        only_candidate=found.pairs.only_candidate,
        only_incumbent=found.pairs.only_incumbent,
        both=found.both,
        between=found.between,
        tasks_needed=found.needed,
    )


def _bounds(found: Interval | None) -> Bounds | None:
    return None if found is None else Bounds(estimate=found.estimate, low=found.low, high=found.high)


def _lane(attempts: Sequence[Attempt], changes: Sequence[Change], url: str) -> LaneReport:
    version, digest = _identity(attempts)
    calls = [call for attempt in attempts for call in attempt.told.calls]
    usages = [attempt.told.usage for attempt in attempts]
    return LaneReport(
        url=url,
        version=version,
        digest=digest,
        answered=sum(not attempt.error for attempt in attempts),
        errors=sum(bool(attempt.error) for attempt in attempts),
        latency_seconds=_amount([attempt.latency_seconds for attempt in attempts]),
        cost_dollars=_amount([usage.cost_dollars for usage in usages if usage.cost_dollars is not None]),
        llm_calls=sum(usage.llm_calls for usage in usages),
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        calls=dict(Counter(call.source for call in calls)),
        refused=_often(call.name for call in calls if call.source == "refused"),
        new=_often(name for change in changes for name in change.calls.new),
        vanished=_often(name for change in changes for name in change.calls.vanished),
    )


def _identity(attempts: Sequence[Attempt]) -> tuple[str, str]:
    """Who answered. An attempt that got no answer names nobody."""
    found = {(attempt.told.version, attempt.told.digest) for attempt in attempts if attempt.told.version}
    if len(found) > 1:
        names = ", ".join(" ".join(filter(None, who)) for who in sorted(found))
        raise ReplayError(
            f"the answers of the {attempts[0].lane} came from several versions ({names}): replay one version at a time, with a journal of its own"
        )
    return next(iter(found), ("", ""))


def _often(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _amount(values: Sequence[float]) -> Amount | None:
    return Amount(median=median(values), sum=sum(values)) if values else None


def _changed(tasks: Iterable[Compared]) -> Iterable[ChangedTask]:
    for task in tasks:
        mine, theirs = task.by_candidate.changed, task.by_incumbent.changed
        if mine or theirs:
            record = task.record
            yield ChangedTask(
                id=record.id,
                by="both" if mine and theirs else "candidate" if mine else "incumbent",
                input=bounded(record.input),
                recorded=RecordReport(
                    answer=bounded(record.output),
                    version=record.version,
                    outcome=record.outcome,
                    calls=_calls(recorded_calls(record)),
                ),
                candidate=_side(task.candidate, task.by_candidate),
                incumbent=_side(task.incumbent, task.by_incumbent),
            )


def _side(attempt: Attempt, change: Change) -> SideReport:
    told = attempt.told
    return SideReport(
        answer=bounded(told.output if told.has_output else attempt.answer),
        error=attempt.error,
        outcome=told.outcome,
        calls=_calls(told.calls),
        latency_seconds=attempt.latency_seconds,
        cost_dollars=told.usage.cost_dollars,
        changed=change.changed,
        similarity=change.likeness.similarity,
        differences=tuple(
            Difference(path=found.path, before=_cut(found.before), after=_cut(found.after))
            for found in change.likeness.differences
        ),
        new_calls=change.calls.new,
        vanished_calls=change.calls.vanished,
        altered_calls=change.calls.altered,
        reordered_calls=change.calls.reordered,
    )


def _calls(calls: Iterable[Call]) -> tuple[Call, ...]:
    return tuple(call.model_copy(update={"arguments": bounded(call.arguments)}) for call in calls)


def bounded(value: JsonValue) -> JsonValue:
    """A value, or its size where it is too large to be shown."""
    size = len(json.dumps(value, ensure_ascii=False).encode())
    shown: dict[str, Any] = {"truncated": True, "bytes": size}
    return value if size <= MOST_SHOWN else shown


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"
