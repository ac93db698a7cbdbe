"""What the ledger does for a request, whatever protocol it came by."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args

from prometheus_client.exposition import choose_encoder
from pydantic import TypeAdapter, ValidationError

from agentrollouts.api.task import TaskLabel, TaskOutcome, TaskTime
from agentrollouts.ledger.access import Access
from agentrollouts.ledger.errors import NotFoundError, RequestError
from agentrollouts.ledger.intake import parse, read_batch, sentence
from agentrollouts.ledger.names import DNS_LABEL
from agentrollouts.ledger.paging import Place, from_cursor, to_cursor
from agentrollouts.ledger.redaction import Redact, redacted_value
from agentrollouts.ledger.rights import Namespaces, Sight
from agentrollouts.ledger.store import MOST_FAILURES, Attempt, Query, Store
from agentrollouts.ledger.tables import MOST_UID
from agentrollouts.ledger.telemetry import Telemetry

MOST_LISTED: Final = 200
_PARAMETERS: Final = ("namespace", "agent", "version", "outcome", "since", "limit", "cursor")
_OUTCOMES: Final = get_args(TaskOutcome)
_TIME: TypeAdapter[Any] = TypeAdapter(TaskTime)
Clock = Callable[[], int]
"""Microseconds since 1970."""


class Service:
    """The ledger's answers over a store. Methods that touch it raise StorageUnavailableError."""

    def __init__(
        self, store: Store, *, access: Access, redaction: Sequence[Redact], telemetry: Telemetry, clock: Clock
    ) -> None:
        self.access = access
        self.telemetry = telemetry
        self._store = store
        self._redaction = redaction
        self._clock = clock

    def check(self) -> None:
        """Whether the database answers."""
        self._store.check()

    def add(self, body: bytes, content_type: str, *, namespaces: Namespaces) -> dict[str, Any]:
        """Store a batch; how many were new and known, and for each refused item why. RequestError: it is no batch.

        Tasks of other ``namespaces`` than these are refused, each for itself.
        """
        records, refusals = read_batch(body, content_type, self._redaction, namespaces=namespaces)
        stored = self._store.add(records, now=self._clock())
        failed = sum(refusal.redaction for refusal in refusals)
        for result, count in (
            ("stored", stored),
            ("duplicate", len(records) - stored),
            ("refused", len(refusals) - failed),
            ("redaction_failed", failed),
        ):
            self.telemetry.tasks.labels(result).inc(count)
        rejected = [{"index": item.place, "id": item.id, "error": item.error} for item in refusals]
        return {"stored": stored, "duplicates": len(records) - stored, "rejected": rejected}

    def page(self, parameters: Mapping[str, str], *, sight: Sight, failures: bool) -> str:
        """One page as JSON: `tasks`, and `next` for the page after it. RequestError names the wrong parameter."""
        page = self._store.page(_query(parameters, sight=sight, failures=failures))
        after = "null" if page.next is None else json.dumps(to_cursor(page.next))
        return f'{{"next":{after},"tasks":[{",".join(page.records)}]}}'

    def get(self, task: str, *, sight: Sight, namespace: str | None) -> str:
        """One record as JSON. NotFoundError: there is none, or it is out of sight, which nobody is told apart.

        RequestError: several namespaces in sight have one with this id, and ``namespace`` names none of them.
        """
        found = self._store.get(task, sight=sight, namespace=namespace)
        if found is None:
            raise NotFoundError(f"there is no task {task[:64]!r}; it may have been removed by its age")
        return found

    def label(self, task: str, body: bytes, *, namespaces: Namespaces, namespace: str | None) -> None:
        """Add what became known of a task of these namespaces after it had ended. NotFoundError, RequestError as above, RedactionError."""
        try:
            label = TaskLabel.model_validate(parse(body))
        except ValidationError as error:
            raise RequestError(sentence(error)) from error
        label = label.model_copy(update={"expected": redacted_value(label.expected, self._redaction)})
        if not self._store.label(task, label, namespaces=namespaces, namespace=namespace):
            raise NotFoundError(f"there is no task {task[:64]!r} to label; it may not have arrived yet")

    def put_evidence(self, namespace: str, rollout: str, attempt: int, bundle: bytes) -> bool:
        """Keep a bundle; False where it was kept already. RequestError: it is none; EvidenceExistsError."""
        _check_place(namespace, rollout, attempt)
        found = parse(bundle)
        if not isinstance(found, dict):
            raise RequestError("expected a JSON object as evidence")
        uid = found.get("uid", "")
        if not isinstance(uid, str) or len(uid) > MOST_UID:
            raise RequestError(f"uid: expected text of at most {MOST_UID} characters, or none")
        place = Attempt(namespace, rollout, attempt, uid)
        new = self._store.put_evidence(place, bundle, now=self._clock())
        self.telemetry.evidence.inc(new)
        return new

    def get_evidence(self, namespace: str, rollout: str, attempt: int, *, uid: str | None) -> bytes:
        """A bundle, byte for byte, of the Rollout with this uid or, of several of the name, the one that came last; NotFoundError."""
        _check_place(namespace, rollout, attempt)
        found = self._store.get_evidence(namespace, rollout, attempt, uid=uid)
        if found is None:
            raise NotFoundError(f"there is no evidence of attempt {attempt} of {namespace}/{rollout}")
        return found

    def attempts(self, namespace: str, rollout: str) -> Sequence[int]:
        """The attempts with evidence, those that came last first."""
        _check_place(namespace, rollout, 1)
        return self._store.attempts(namespace, rollout)

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """The ledger's metrics, and their content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.telemetry.registry), content_type


def _check_place(namespace: str, rollout: str, attempt: int) -> None:
    if not (DNS_LABEL.fullmatch(namespace) and DNS_LABEL.fullmatch(rollout) and 1 <= attempt < 2**31):
        raise RequestError(
            "expected the names of a namespace and a Rollout and an attempt from 1; "
            f"got {namespace[:80]!r}, {rollout[:80]!r} and {attempt}"
        )


def _query(parameters: Mapping[str, str], *, sight: Sight, failures: bool) -> Query:
    known = ("namespace", "agent", "limit", "cursor") if failures else _PARAMETERS
    if unknown := sorted(set(parameters) - set(known)):
        raise RequestError(f"expected some of {', '.join(known)}; got {', '.join(unknown)[:200]}")
    if failures and "agent" not in parameters:
        raise RequestError("expected whose failures, as ?namespace=NAMESPACE&agent=NAME")
    if "agent" in parameters and "namespace" not in parameters:
        raise RequestError(
            f"expected the namespace of the agent {parameters['agent'][:80]!r} as well, as namespace=NAMESPACE: "
            "agents of one name in two namespaces are two agents"
        )
    outcome = parameters.get("outcome")
    if outcome is not None and outcome not in _OUTCOMES:
        raise RequestError(f"expected one of {', '.join(_OUTCOMES)} as outcome; got {outcome[:80]!r}")
    cursor = parameters.get("cursor")
    return Query(
        namespace=parameters.get("namespace"),
        agent=parameters.get("agent"),
        version=parameters.get("version"),
        outcome=outcome,
        since=_since(parameters.get("since")),
        after=None if cursor is None else _after(cursor),
        limit=_limit(parameters.get("limit", "50"), most=MOST_FAILURES if failures else MOST_LISTED),
        sight=sight,
        failures=failures,
    )


def _since(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        moment = _TIME.validate_python(text)
    except ValidationError as error:
        raise RequestError(f"since: {sentence(error)}") from error
    return int(moment.timestamp()) * 1_000_000 + int(moment.microsecond)


def _after(cursor: str) -> Place:
    try:
        return from_cursor(cursor)
    except ValueError as error:
        raise RequestError(str(error)) from error


def _limit(text: str, *, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise RequestError(f"expected a limit from 1 to {most}; got {text[:80]!r}")
    return int(text)
