"""A report for people: as text for a terminal, as Markdown, and as the few bytes that a Job leaves behind.

Answers and arguments come from others: nothing in them reaches a terminal as it is, and in Markdown they are no markup.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentrollouts.replay.judge import percent
from agentrollouts.replay.report import Amount, Bounds, ChangedTask, LaneReport, Report, SideReport

MOST_SUMMARY: Final = 4096
_MARKUP = re.compile(r"([\\`*_{}\[\]#|~])")
_MOST_CHARS = 400
_MOST_TASKS = 200
_LANES = ("candidate", "incumbent")


def text(report: Report, most: int = 20) -> Iterator[str]:
    """Lines for a terminal, the verdict last; ``most`` changed tasks side by side."""
    for row in _table(report):
        yield f"{row[0]:<24}{row[1]:>20}{row[2]:>20}"
    yield from _notes(report)
    for task in report.changed[:most]:
        yield ""
        yield from _beside(task)
    if len(report.changed) > most:
        yield f"\n… and {len(report.changed) - most} more changed tasks"
    yield ""
    yield f"{report.verdict}: {report.message}"


def markdown(report: Report) -> Iterator[str]:
    """Lines of GitHub-flavoured Markdown, the verdict first."""
    yield f"### Replay: {report.verdict}"
    yield ""
    yield escaped(report.message)
    yield ""
    first, *rows = _table(report)
    yield f"| {' | '.join(first)} |"
    yield "|---|---:|---:|"
    yield from (f"| {' | '.join(map(escaped, row))} |" for row in rows)
    yield ""
    yield from (f"- {escaped(note)}" for note in _notes(report))
    for task in report.changed[:_MOST_TASKS]:
        yield from _details(task)
    if len(report.changed) > _MOST_TASKS:
        yield f"\n… and {len(report.changed) - _MOST_TASKS} more changed tasks"


def summary(report: Report) -> bytes:
    """Verdict, message and numbers as one JSON object of at most 4096 bytes."""
    found = report.disagreement
    numbers: dict[str, Any] = {
        "tasks": report.tasks.done,
        "excess": _numbers(found.excess),
        "candidate": _numbers(found.candidate),
        "incumbent": _numbers(found.incumbent),
        "onlyCandidate": found.only_candidate,
        "onlyIncumbent": found.only_incumbent,
        "tasksNeeded": found.tasks_needed,
        "maxDisagreement": report.rule.max_disagreement,
    }
    for name, lane in (("candidate", report.candidate), ("incumbent", report.incumbent)):
        numbers[f"{name}MedianSeconds"] = _median(lane.latency_seconds)
        numbers[f"{name}CostDollars"] = None if lane.cost_dollars is None else lane.cost_dollars.sum
    document = {"verdict": report.verdict, "message": "", "numbers": numbers}
    # NB: a Kubernetes termination message holds 4096 bytes and is cut without a word beyond them.
    room = MOST_SUMMARY - len(json.dumps(document))
    message = "".join(char for char in report.message if char.isprintable() and char.isascii())[: room // 2]
    return json.dumps(document | {"message": message}, separators=(",", ":")).encode()


def plain(value: str) -> str:
    """Text on one line without control characters, cut."""
    line = "".join(char if char.isprintable() else "�" for char in " ".join(value.split()))
    return line if len(line) <= _MOST_CHARS else line[:_MOST_CHARS] + "…"


def escaped(value: str) -> str:
    """Text of others that stays text: no markup, no HTML, no line break."""
    return _MARKUP.sub(r"\\\1", html.escape(plain(value), quote=False))


def _table(report: Report) -> Iterator[tuple[str, ...]]:
    lanes, found = (report.candidate, report.incumbent), report.disagreement
    yield "", *_LANES
    yield "version", *(lane.version or "not told" for lane in lanes)
    yield "changed decisions", _share(found.candidate), _share(found.incumbent)
    yield "alone", str(found.only_candidate), str(found.only_incumbent)
    yield "no answer", *(str(lane.errors) for lane in lanes)
    yield "median latency", *(_seconds(lane.latency_seconds) for lane in lanes)
    yield "cost", *(_dollars(lane.cost_dollars) for lane in lanes)
    yield "model calls", *(str(lane.llm_calls) for lane in lanes)
    yield "tool calls", *(str(sum(lane.calls.values())) for lane in lanes)


def _notes(report: Report) -> Iterator[str]:
    tasks = report.tasks
    if tasks.done < tasks.asked:
        left = ", ".join(f"{count} {reason}" for reason, count in tasks.left_out.items())
        yield f"{tasks.done} tasks instead of {tasks.asked}: there were no more{f' (left out: {left})' if left else ''}"
    if model := report.rule.embedding_model:
        yield f"answers are compared by embeddings of {plain(model)}, alike from {report.rule.threshold:g} on"
    others = sum(count for version, count in tasks.recorded_by.items() if version != report.incumbent.version)
    if others and report.incumbent.version:
        yield (
            f"{others} of {tasks.done} tasks were recorded by other versions than the incumbent: what changed since then, both lanes change"
        )
    for name, lane in zip(_LANES, (report.candidate, report.incumbent), strict=True):
        yield from _lane_notes(name, lane)


def _lane_notes(name: str, lane: LaneReport) -> Iterator[str]:
    kinds: tuple[tuple[str, Mapping[str, int]], ...] = (
        ("calls that the record doesn't have, refused", lane.refused),
        ("new tool calls", lane.new),
        ("vanished tool calls", lane.vanished),
    )
    for what, counts in kinds:
        if counts:
            listed = ", ".join(f"{plain(tool)} {count}" for tool, count in counts.items())
            yield f"{name}: {what}: {listed}"
    if repeated := lane.calls.get("repeated"):
        yield f"{name}: {repeated} calls were made more often than recorded and got the last result again"
    if live := lane.calls.get("live"):
        yield f"{name}: {live} calls of safe tools were made for real"


def _beside(task: ChangedTask) -> Iterator[str]:
    yield f"task {task.id}, changed by {_by(task)}: {plain(_json(task.input))}"
    yield f"  recorded   {plain(_json(task.recorded.answer))}"
    yield f"             {_acts(task.recorded.calls)}"
    for name, side in _sides(task):
        mark = "≠" if side.changed else "="
        yield f"  {name:<9} {mark} {side.error and plain(side.error) + ' '}{plain(_json(side.answer))}"
        yield f"             {_acts(side.calls)}{_tool_words(side)}"


def _details(task: ChangedTask) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{task.id}, changed by {_by(task)}</summary>"
    yield ""
    yield "| | answer | tools |"
    yield "|---|---|---|"
    yield f"| asked | {escaped(_json(task.input))} | |"
    yield f"| recorded | {escaped(_json(task.recorded.answer))} | {escaped(_acts(task.recorded.calls))} |"
    for name, side in _sides(task):
        answer = escaped(f"{side.error} {_json(side.answer)}")
        yield f"| {name}{' ≠' if side.changed else ''} | {answer} | {escaped(_acts(side.calls) + _tool_words(side))} |"
    yield ""
    yield "</details>"


def _by(task: ChangedTask) -> str:
    return "both" if task.by == "both" else f"the {task.by}"


def _sides(task: ChangedTask) -> tuple[tuple[str, SideReport], ...]:
    return ("candidate", task.candidate), ("incumbent", task.incumbent)


def _acts(calls: Any) -> str:
    return ", ".join(plain(f"{call.name}({_inside(call.arguments)})") for call in calls) or "no tool"


def _inside(arguments: Any) -> str:
    if isinstance(arguments, dict):
        return ", ".join(f"{name}={_json(value)}" for name, value in arguments.items())
    return "" if arguments is None else _json(arguments)


def _tool_words(side: SideReport) -> str:
    words = [f"new {name}" for name in side.new_calls]
    words += [f"without {name}" for name in side.vanished_calls]
    words += [f"other arguments of {name}" for name in side.altered_calls]
    words += ["in another order"] if side.reordered_calls else []
    return f" ({plain(', '.join(words))})" if words else ""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _share(found: Bounds | None) -> str:
    return "unknown" if found is None else percent(found.estimate)


def _seconds(found: Amount | None) -> str:
    return "unknown" if found is None else f"{found.median:.3f} s"


def _dollars(found: Amount | None) -> str:
    return "not told" if found is None else f"${found.sum:.4f}"


def _median(found: Amount | None) -> float | None:
    return None if found is None else found.median


def _numbers(found: Bounds | None) -> list[float] | None:
    return None if found is None else [found.estimate, found.low, found.high]
