"""From the body of a POST to records that may be stored, and for each other item why it may not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from agentrollouts.api.task import MOST_BYTES, TaskRecord, canonical
from agentrollouts.ledger.errors import RedactionError, RequestError
from agentrollouts.ledger.redaction import Redact, redacted
from agentrollouts.ledger.rights import Namespaces

MOST_ITEMS: Final = 1_000
"""Items in one body."""
NDJSON: Final = "application/x-ndjson"


class Refusal(NamedTuple):
    """An item that isn't stored: its place in the body from 0, its id where it has one, and why."""

    place: int
    id: str | None
    error: str
    redaction: bool = False


class Intake(NamedTuple):
    """What of a body may be stored, redacted, and what may not."""

    records: list[TaskRecord]
    refusals: list[Refusal]


def read_batch(body: bytes, content_type: str, steps: Sequence[Redact], *, namespaces: Namespaces) -> Intake:
    """Read a JSON array, or lines of JSON where the content type says so; only tasks of these namespaces may be stored.

    Raises:
        RequestError: the body is no batch at all, or has too many items.
    """
    items = list(_lines(body) if content_type.partition(";")[0].strip() == NDJSON else _array(body))
    if len(items) > MOST_ITEMS:
        raise RequestError(
            f"expected at most {MOST_ITEMS} tasks in one body; got {len(items)}: post them in parts"
        )
    records: list[TaskRecord] = []
    refusals: list[Refusal] = []
    for index, item in enumerate(items):
        try:
            records.append(redacted(_of(namespaces, _record(item)), steps))
        except RedactionError as error:
            refusals.append(
                Refusal(index, _id(item), f"{error}: nothing of this task is stored", redaction=True)
            )
        except ValidationError as error:
            refusals.append(Refusal(index, _id(item), sentence(error)))
        except RequestError as error:
            refusals.append(Refusal(index, _id(item), str(error)))
    return Intake(records, refusals)


def parse(text: bytes) -> Any:
    """A JSON value.

    Raises:
        RequestError: it is none, or has a number that is not finite.
    """
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise RequestError(f"expected JSON: {error}") from error


def sentence(error: ValidationError) -> str:
    """What is wrong with which fields, without the values: these are a user's."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    told = (
        f"{'.'.join(str(part) for part in item['loc']) or 'the task'}: {item['msg']}" for item in found[:5]
    )
    return "; ".join(told)


def _array(body: bytes) -> Iterator[Any]:
    items = parse(body)
    if not isinstance(items, list):
        raise RequestError(
            f"expected a JSON array of tasks, or one task in each line with the content type {NDJSON}; "
            f"got a {type(items).__name__}"
        )
    return iter(items)


def _lines(body: bytes) -> Iterator[Any]:
    for line in body.split(b"\n"):
        if line.strip():
            try:
                yield parse(line)
            except RequestError as error:
                yield error


def _record(item: Any) -> TaskRecord:
    if isinstance(item, RequestError):
        raise item
    record = TaskRecord.model_validate(item)
    try:
        size = len(canonical(record).encode())
    except ValueError as error:
        raise RequestError("expected finite numbers; got one beyond them") from error
    if size > MOST_BYTES:
        raise RequestError(
            f"expected a task of at most {MOST_BYTES} bytes; got {size}: cut its input, output and results"
        )
    return record


def _of(namespaces: Namespaces, record: TaskRecord) -> TaskRecord:
    if namespaces is not None and record.namespace not in namespaces:
        raise RequestError(
            f"namespace: expected {' or '.join(sorted(namespaces))}, which is all that this token opens; "
            f"got {record.namespace!r}: set AGENT_NAMESPACE, or post it with a token of its own namespace"
        )
    return record


def _id(item: Any) -> str | None:
    found = item.get("id") if isinstance(item, dict) else None
    return found[:64] if isinstance(found, str) else None
