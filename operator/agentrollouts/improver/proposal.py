"""What a model answers, and whether it is a prompt that anybody could look at: the first objection, as a sentence. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agentrollouts.api.task import TaskRecord

MOST_CHARACTERS: Final = 16_000
"""Characters of a prompt."""
FEWEST_CHARACTERS: Final = 40
_MOST_RATIONALE: Final = 1_000
_QUOTE: Final = 40
"""Characters of a task in a row that are a quotation; shorter strings are words that anybody uses."""
_PLACEHOLDER = re.compile(r"\{\{\s*[\w.]+\s*\}\}|\$\{\w+\}|\{\w+\}|%\(\w+\)s")
_CODE = re.compile(
    r"^\s*(import \w|from \w+ import|def \w+\(|class \w+[:(]|#!/|<\?|<!doctype|<html|SELECT |function \w*\()",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"^\W*(i['’]m (sorry|unable)|i am (sorry|unable)|sorry[,.]|i (can(['’]t|not| not)|won['’]t|will not|must decline)|as an ai\b)",
    re.IGNORECASE,
)
_HIDDEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


class Proposal(BaseModel):
    """The schema of an answer. Anything else is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revised_system_prompt: str
    rationale: Annotated[str, Field(max_length=_MOST_RATIONALE)]


def objection(proposal: Proposal, *, prompt: str, cases: Iterable[TaskRecord], canary: str) -> str:
    """Why a proposal can't be taken; empty when it can. Never repeats a task's or the model's own text."""
    revised = proposal.revised_system_prompt
    return (
        _about_length(revised)
        or _about_kind(revised)
        or _about_change(revised, prompt)
        or _about_leaks(proposal, prompt, cases, canary)
        or _about_rationale(proposal.rationale)
    )


def _about_length(revised: str) -> str:
    if not revised.strip():
        return "revised_system_prompt is empty"
    if len(revised) > MOST_CHARACTERS:
        return f"revised_system_prompt has {len(revised)} characters; at most {MOST_CHARACTERS} are taken"
    if len(revised.strip()) < FEWEST_CHARACTERS:
        return f"revised_system_prompt has fewer than {FEWEST_CHARACTERS} characters, too few for a prompt"
    return ""


def _about_kind(revised: str) -> str:
    if any(unicodedata.category(sign) in _HIDDEN for sign in revised if sign not in "\n\t\u200d"):
        return "revised_system_prompt has characters that nobody can see"
    if _is_json(revised):
        return "revised_system_prompt is a JSON document, not a prompt"
    if revised.lstrip().startswith("```") or _CODE.match(revised):
        return "revised_system_prompt is code, not a prompt"
    if _REFUSAL.match(revised):
        return "revised_system_prompt is a refusal, not a prompt"
    if sum(sign.isalpha() for sign in revised) * 2 < len(revised.strip()):
        return "revised_system_prompt is mostly not words"
    return ""


def _about_change(revised: str, prompt: str) -> str:
    if revised.split() == prompt.split():
        return "revised_system_prompt says the same as before"
    before, after = (sorted(_PLACEHOLDER.findall(text)) for text in (prompt, revised))
    if lost := sorted(set(before) - set(after)):
        return f"revised_system_prompt lacks the placeholders {', '.join(lost)}"
    if set(after) - set(before):
        return "revised_system_prompt has placeholders that the prompt before didn't have"
    return ""


def _about_leaks(proposal: Proposal, prompt: str, cases: Iterable[TaskRecord], canary: str) -> str:
    said = _plain(f"{proposal.revised_system_prompt}\n{proposal.rationale}")
    if canary.casefold() in said:
        return "the answer has the private line in it"
    before = _plain(prompt)
    for case in cases:
        for text in (*_strings(case.input), *_strings(case.output), *_strings(case.expected)):
            plain = _plain(text)
            # NB: a text of the prompt's own, which an answer may repeat, is no quotation of a task.
            if any(piece in said and piece not in before for piece in _pieces(plain)):
                return "the answer quotes a task; a prompt states rules"
    return ""


def _about_rationale(rationale: str) -> str:
    if not rationale.strip():
        return "rationale is empty"
    if any(unicodedata.category(sign) in _HIDDEN for sign in rationale):
        return "rationale is more than one line"
    return ""


def _pieces(plain: str) -> Iterator[str]:
    """Stretches of a text that overlap by half, so that a quotation of one and a half times the length has one whole."""
    step = _QUOTE // 2
    for start in range(0, max(1, len(plain) - _QUOTE + 1), step):
        piece = plain[start : start + _QUOTE]
        if len(piece) == _QUOTE:
            yield piece


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _strings(value: JsonValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list | str)
    except ValueError:
        return False
