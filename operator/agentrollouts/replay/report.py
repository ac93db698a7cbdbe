"""The report of a replay, as it is kept and shown."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, ValidationError

from agentrollouts.api.base import SpecModel
from agentrollouts.replay.calls import Call
from agentrollouts.replay.errors import ReplayError

SCHEMA: Literal["agentrollouts.io/replay-report/v1"] = "agentrollouts.io/replay-report/v1"


class Bounds(SpecModel):
    """A share with its 95 % interval, as fractions."""

    estimate: float
    low: float
    high: float


class RuleReport(SpecModel):
    """What a decision was, and what was allowed. ``embedding_model`` is empty where answers weren't compared by embeddings."""

    compare: str
    answer: str
    ignore: tuple[str, ...]
    threshold: float
    tools: str
    max_disagreement: float
    max_noise: float
    embedding_model: str = ""


class TasksReport(SpecModel):
    """Tasks: how many were asked for, how many both lanes have done, how many were left out by reason, and which versions recorded them."""

    asked: int
    done: int
    left_out: dict[str, int]
    recorded_by: dict[str, int]


class Disagreement(SpecModel):
    """Changed decisions. ``excess`` is the candidate's share minus the incumbent's; None without any task."""

    excess: Bounds | None
    candidate: Bounds | None
    incumbent: Bounds | None
    only_candidate: int
    only_incumbent: int
    both: int
    between: int
    tasks_needed: int | None


class Amount(SpecModel):
    """A quantity over the tasks of a lane: seconds, or US dollars."""

    median: float
    sum: float


class LaneReport(SpecModel):
    """One lane. ``calls`` by how they were answered; ``refused``, ``new`` and ``vanished`` are tools by name, the latter against the record.

    ``cost`` None: the agent told none.
    """

    url: str
    version: str
    digest: str
    answered: int
    errors: int
    latency_seconds: Amount | None
    cost_dollars: Amount | None
    llm_calls: int
    input_tokens: int
    output_tokens: int
    calls: dict[str, int]
    refused: dict[str, int]
    new: dict[str, int]
    vanished: dict[str, int]


class Difference(SpecModel):
    """One place in which two answers differ, both sides as JSON; null: there is nothing."""

    path: str
    before: str | None
    after: str | None


class SideReport(SpecModel):
    """One lane's go at a task, with what changed from the record."""

    answer: JsonValue
    error: str
    outcome: str
    calls: tuple[Call, ...]
    latency_seconds: float
    cost_dollars: float | None
    changed: bool
    similarity: float | None
    differences: tuple[Difference, ...]
    new_calls: tuple[str, ...]
    vanished_calls: tuple[str, ...]
    altered_calls: tuple[str, ...]
    reordered_calls: bool


class RecordReport(SpecModel):
    """The task as it was recorded."""

    answer: JsonValue
    version: str
    outcome: str
    calls: tuple[Call, ...]


class ChangedTask(SpecModel):
    """A task in which a lane differs from the record. ``by``: which one."""

    id: str
    by: Literal["candidate", "incumbent", "both"]
    input: JsonValue
    recorded: RecordReport
    candidate: SideReport
    incumbent: SideReport


class Report(SpecModel):
    """All of it. ``changed`` begins with what the candidate alone changed."""

    schema_: Annotated[Literal["agentrollouts.io/replay-report/v1"], Field(alias="schema")] = SCHEMA
    verdict: Literal["PASS", "FAIL", "INCONCLUSIVE"]
    message: str
    rule: RuleReport
    tasks: TasksReport
    disagreement: Disagreement
    candidate: LaneReport
    incumbent: LaneReport
    changed: tuple[ChangedTask, ...]


def read(text: str) -> Report:
    """The report in this JSON text.

    Raises:
        ReplayError: it is none.
    """
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ReplayError(
            f"expected a report of agentrollout replay run; {place + ': ' if place else ''}{first['msg']}"
        ) from error


def written(report: Report) -> str:
    """The JSON text."""
    return report.model_dump_json(by_alias=True, indent=2) + "\n"
