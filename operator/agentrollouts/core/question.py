"""What an advisor gets to see: numbers, the diff and history. Text that people or agents wrote is quoted data in it.

A rationale or a reason may hold anything, instructions to a language model included (OWASP LLM01, prompt injection). So
each text loses what can't be printed, is cut, and stands in a JSON string of its own in which every character that could
end a quotation, open markup or spell a control token of a chat template is written as an escape. What gets through all of
that is still only an opinion: ``core.advice`` gives no opinion the power to make a share larger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentrollouts.core.checks import CheckResult
from agentrollouts.core.gate_plan import changes, cohorts
from agentrollouts.core.opinion import Subject
from agentrollouts.core.plain import plain
from agentrollouts.core.progress import tasks
from agentrollouts.core.snapshot import Snapshot

TEXT = 300
"""Characters of one text; a rationale may have more."""
RATIONALE = 1_000
_MARKUP = re.compile(r"[<>\[\]{}|`&]")

Json = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None


class CheckFact(NamedTuple):
    """One check's verdict, and the sentence with its numbers."""

    name: str
    verdict: str
    reason: str


class Past(NamedTuple):
    """How an earlier candidate fared."""

    version: str
    outcome: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Question:
    """Everything an advisor sees about one step. Shares are in basis points."""

    subject: Subject
    agent: str
    stable: str
    candidate: str
    share: int
    tasks: int
    checks: tuple[CheckFact, ...]
    cohorts: tuple[Mapping[str, Json], ...]
    """Each arm's counts and rates, as an approval gate shows them."""
    changes: tuple[str, ...]
    """The parts of the release that differ: name, old digest, new digest."""
    history: tuple[Past, ...]
    author: str
    rationale: str

    def document(self) -> str:
        """The question as one line of ASCII JSON."""
        return encode(
            {
                "agent": self.agent,
                "stable": self.stable,
                "candidate": self.candidate,
                "share_percent": self.share / 100,
                "next_share_percent": self.subject.share / 100,
                "step": self.subject.step,
                "attempt": self.subject.attempt,
                "tasks_of_candidate": self.tasks,
                "checks": [{**fact._asdict(), "reason": _quoted(fact.reason)} for fact in self.checks],
                "cohorts": self.cohorts,
                "changed_parts": self.changes,
                "history": [{**past._asdict(), "message": _quoted(past.message)} for past in self.history],
                "author": self.author,
                "rationale": _quoted(self.rationale),
            }
        )


def ask(snapshot: Snapshot, results: tuple[CheckResult, ...], subject: Subject) -> Question:
    """The question about the candidate's next step."""
    candidate, stable, view = snapshot.status.candidate, snapshot.status.stable, snapshot.candidate
    assert candidate is not None
    history = tuple(
        Past(plain(past.version, 64), past.outcome, past.reason, plain(past.message, TEXT))
        for past in snapshot.status.history[-10:]
    )
    rows = (row.model_dump(mode="json", exclude_defaults=True) for row in cohorts(snapshot))
    return Question(
        subject=subject,
        agent=plain(snapshot.spec.agent, 64),
        stable=plain(stable.version, 64) if stable else "",
        candidate=plain(candidate.version, 64),
        share=candidate.share,
        tasks=int(tasks(snapshot)),
        checks=tuple(
            CheckFact(plain(r.name, 64), r.verdict.value, plain(r.reason, TEXT)) for r in results[:32]
        ),
        cohorts=tuple(rows),
        changes=tuple(plain(change, TEXT) for change in changes(snapshot)),
        history=history,
        author=view.lineage.author if view else "",
        rationale=plain(view.lineage.rationale, RATIONALE) if view else "",
    )


def encode(value: Json) -> str:
    """JSON in ASCII whose strings hold no markup: ``<`` is written as an escape, and so is all that has a meaning to parsers."""
    if isinstance(value, str):
        return _MARKUP.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{encode(key)}: {encode(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(encode(item) for item in value) + "]"
    return json.dumps(value)


def _quoted(text: str) -> Json:
    return {"untrusted_text": text}
