"""Chat completions as values: the body of an answer, what it cost, and what a question told. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from agents.author.scripts import SCRIPTS

BYTES_OF_A_TOKEN: Final = 4
"""A script has no tokenizer: it counts as most of them do on English text."""
Answer = tuple[int, dict[str, Any]]
"""HTTP status and body."""


def completion(
    content: str | None, *, usage: Mapping[str, int] | None = None, model: str = "m", **extra: Any
) -> dict[str, Any]:
    """The body of a chat completion. ``extra``: ``refusal``, ``finish_reason``."""
    message = {"role": "assistant", "content": content, "refusal": extra.get("refusal")}
    choice = {"index": 0, "message": message, "finish_reason": extra.get("finish_reason", "stop")}
    body = {"id": "c-1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return body if usage is None else body | {"usage": dict(usage)}


def answered(asked: Any) -> Answer:
    """What the script of the model's name says to a request; 404 for a name without one, 400 for what is no request."""
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list):
        return 400, _error('expected {"model": …, "messages": […]}; got another document')
    name = asked.get("model")
    script = SCRIPTS.get(name) if isinstance(name, str) else None
    if script is None:
        return 404, _error(f"expected one of the models {', '.join(SCRIPTS)}; got {name!r}")
    content = json.dumps(asdict(script))
    prompt = sum(map(_tokens, _contents(asked["messages"])))
    usage = {"prompt_tokens": prompt, "completion_tokens": _tokens(content)}
    usage["total_tokens"] = sum(usage.values())
    return 200, completion(content, usage=usage, model=str(name))


def inputs_in(messages: Sequence[Any]) -> frozenset[str]:
    """The input of each task in the improver's documents, as JSON with sorted names; whatever is none of those has none."""
    found: set[str] = set()
    for content in _contents(messages):
        try:
            document = json.loads(content)
        except ValueError:
            continue
        if not isinstance(document, dict):
            continue
        for kind in ("failing", "passing"):
            cases = document.get(kind)
            if isinstance(cases, list):
                found.update(
                    written(case["input"]) for case in cases if isinstance(case, dict) and "input" in case
                )
    return frozenset(found)


def written(value: Any) -> str:
    """One text for equal JSON."""
    return json.dumps(value, sort_keys=True)


def _contents(messages: Sequence[Any]) -> list[str]:
    return [str(message.get("content") or "") for message in messages if isinstance(message, dict)]


def _tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_OF_A_TOKEN)


def _error(sentence: str) -> dict[str, Any]:
    return {"error": {"message": sentence, "type": "invalid_request_error"}}
