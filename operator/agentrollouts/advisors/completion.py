"""What a chat completion comes to: the answer in its schema, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import openai
from pydantic import BaseModel, ValidationError

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nothing that follows the schema. ``words`` never repeat the endpoint's own."""

    problem: Literal["Refused", "Nonsense"]
    words: str


def answer_in(raw: Any, schema: type[Answer], *, most_tokens: int) -> Answer | NoAnswer:
    """The answer in a raw response of ``parse``; ``most_tokens`` is what it was asked to keep to."""
    try:
        return _answer(raw.parse(), schema)
    except openai.LengthFinishReasonError:
        return NoAnswer("Nonsense", f"the answer has more than {most_tokens} tokens")
    except openai.ContentFilterFinishReasonError:
        return NoAnswer("Refused", "the endpoint's content filter kept the answer back")
    except ValidationError:
        return NoAnswer("Nonsense", "the answer doesn't follow the schema")
    except (ValueError, TypeError, AttributeError, openai.OpenAIError):
        return NoAnswer("Nonsense", "the answer is no chat completion")


def _answer(completion: Any, schema: type[Answer]) -> Answer | NoAnswer:
    message = completion.choices[0].message if completion.choices else None
    if message is None or (message.parsed is None and not message.refusal):
        return NoAnswer("Nonsense", "the answer is empty")
    if message.refusal or not isinstance(message.parsed, schema):
        return NoAnswer("Refused", "the model refuses to answer")
    return message.parsed
