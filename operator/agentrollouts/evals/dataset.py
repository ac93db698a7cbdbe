"""Datasets of pydantic-evals: what is asked, what is expected, and who scores the answers. Needs the extra ``evals``."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from agentrollouts.evals.errors import InputError

if TYPE_CHECKING:
    from pydantic_evals import Case, Dataset

LACKING = (
    "eval run needs pydantic-evals, which isn't installed: pip install 'agent-rollouts[evals]'."
    " eval gate and eval convert do without"
)


@dataclass(frozen=True, slots=True)
class Task:
    """One case with everything that scores it. ``index`` counts from 1 in the dataset."""

    index: int
    id: str
    case: Case[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Tasks:
    """A dataset to run. ``left_out`` are its report evaluators: they look at all cases at once and score none."""

    digest: str
    tasks: tuple[Task, ...]
    left_out: tuple[str, ...] = ()


def load(text: str, *, yaml: bool, scorers: Sequence[type[Any]] = ()) -> Tasks:
    """The tasks in a dataset's text. A case that nobody would score is compared with its expected output.

    ``scorers`` are classes that it may name beside those of pydantic-evals.

    Raises:
        InputError: the extra isn't installed, it is no dataset, or a case has neither scorer nor expected output.
    """
    try:
        import pydantic_evals
    except ImportError as error:
        raise InputError(LACKING) from error
    # NB: a bare Dataset warns that it doesn't know its types, and a task may have any.
    kind = pydantic_evals.Dataset[Any, Any, Any]
    try:
        dataset = kind.from_text(
            text,
            fmt="yaml" if yaml else "json",
            default_name="dataset",
            custom_evaluator_types=scorers,
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"expected a dataset of pydantic-evals; {place}: {first['msg']}") from error
    except ExceptionGroup as error:
        raise InputError(
            "expected scorers of pydantic-evals; " + "; ".join(map(str, error.exceptions))
        ) from error
    except Exception as error:
        raise InputError(
            f"expected a dataset of pydantic-evals; {' '.join(str(error).split())[:300]}"
        ) from error
    return Tasks(
        digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
        tasks=_tasks(dataset),
        left_out=tuple(type(each).__name__ for each in dataset.report_evaluators),
    )


def _tasks(dataset: Dataset[Any, Any, Any]) -> tuple[Task, ...]:
    from pydantic_evals import Case

    if not dataset.cases:
        raise InputError("expected a dataset with at least one case; got none")
    tasks: dict[str, Task] = {}
    for index, case in enumerate(dataset.cases, 1):
        name = case.name or f"Case {index}"
        scored = Case(
            name=name,
            inputs=case.inputs,
            metadata=case.metadata,
            expected_output=case.expected_output,
            evaluators=[*dataset.evaluators, *case.evaluators] or _default(name, case),
        )
        if (
            name in tasks
        ):  # pydantic-evals looks at names that are given only, and "Case 2" may be one of those
            raise InputError(f"expected another name for every case; got {name!r} twice")
        tasks[name] = Task(index, name, scored)
    return tuple(tasks.values())


def _default(name: str, case: Case[Any, Any, Any]) -> list[Any]:
    from pydantic_evals.evaluators import EqualsExpected

    if case.expected_output is None:
        raise InputError(f"expected evaluators or an expected_output for every case; {name!r} has neither")
    return [EqualsExpected()]
