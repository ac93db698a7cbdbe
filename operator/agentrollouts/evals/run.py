"""Running a dataset: each case so many times, some at once, every answer scored by the dataset's own scorers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from agentrollouts.evals.attempts import Attempt, broken
from agentrollouts.evals.dataset import Task, Tasks
from agentrollouts.evals.results import HALF
from agentrollouts.evals.target import Target, TargetError

if TYPE_CHECKING:
    from pydantic_evals.reporting import EvaluationReport, ReportCase


@dataclass(frozen=True, slots=True)
class Pace:
    """How often each case is done, how many are in flight at once, and seconds until an answer comes too late."""

    repeats: int = 1
    concurrency: int = 4
    timeout: float = 60.0


async def run(tasks: Tasks, target: Target, pace: Pace, *, name: str, done: list[Attempt]) -> None:
    """Do all of it. ``done`` has what is finished at any moment, so that an interruption loses only what was in flight.

    ``name`` begins the sessions' names, so that no two runs share one. Nothing that a target or a scorer raises ends the run: the
    attempt is broken and scores 0.
    """
    slots = asyncio.Semaphore(pace.concurrency)

    async def one(task: Task, repeat: int) -> None:
        async with slots:
            done.append(await _attempt(task, target, f"{name}-{task.index}-{repeat}", pace.timeout))

    async with asyncio.TaskGroup() as group:
        for repeat in range(1, pace.repeats + 1):
            for task in tasks.tasks:
                group.create_task(one(task, repeat))


def in_order(tasks: Tasks, attempts: Iterable[Attempt]) -> list[Attempt]:
    """Attempts as the dataset has its cases; they are done in any order."""
    places = {task.id: task.index for task in tasks.tasks}
    return sorted(attempts, key=lambda attempt: places[attempt.id])


async def _attempt(task: Task, target: Target, session: str, seconds: float) -> Attempt:
    from pydantic_evals import Dataset

    async def ask(inputs: Any) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await target.ask(inputs, session)
        except TimeoutError as error:
            raise TargetError(f"no answer within {seconds:g} s") from error
        except (asyncio.CancelledError, SystemExit) as error:
            if _is_cancelled():
                raise
            # NB: neither is an Exception, so it would end the run, or the attempt would be missing without a word.
            raise TargetError(f"it gave up: {error!r}") from error

    # One case at a time, so that each has its own session, and what is done is known when somebody interrupts.
    report = await Dataset[Any, Any, Any](name="attempt", cases=[task.case]).evaluate(
        ask, name=session, task_name="target", progress=False
    )
    return _told(task.id, _tags(task.case.metadata), report)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _told(name: str, tags: tuple[str, ...], report: EvaluationReport[Any, Any, Any]) -> Attempt:
    if report.failures:
        return broken(name, report.failures[0].error_message.removeprefix("TargetError: "), tags=tags)
    found = report.cases[0]
    if found.evaluator_failures:
        failure = found.evaluator_failures[0]
        return broken(name, f"scorer {failure.name} broke: {failure.error_message}", tags=tags)
    return _scored(name, tags, found)


def _scored(name: str, tags: tuple[str, ...], found: ReportCase[Any, Any, Any]) -> Attempt:
    """Every scorer weighs the same; an assertion that holds is 1. The attempt passes if all hold and no score is below a half."""
    scores = {key: Decimal(str(result.value)) for key, result in found.scores.items()}
    for key, score in scores.items():
        if not 0 <= score <= 1:
            return broken(name, f"scorer {key} gave {score}; expected a number from 0 to 1", tags=tags)
    all_scores = [*scores.values(), *(Decimal(result.value) for result in found.assertions.values())]
    if not all_scores:
        return broken(name, "no scorer gave a score or an assertion", tags=tags)
    return Attempt(name, _mean(all_scores), all(score >= HALF for score in all_scores), tags=tags)


def _mean(scores: Sequence[Decimal]) -> Decimal:
    return sum(scores, Decimal(0)) / len(scores)


def _tags(metadata: Any) -> tuple[str, ...]:
    """``tags`` of a case's metadata, where they are a list of texts."""
    tags = metadata.get("tags") if isinstance(metadata, Mapping) else None
    return tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
