"""Proposals from any endpoint that speaks OpenAI's chat completions. The only file of this room that knows the ``openai`` library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import openai

from agentrollouts.advisors.bounded import LARGEST, BoundedClient, client_of, is_too_large
from agentrollouts.advisors.completion import NoAnswer, answer_in
from agentrollouts.bounded_body import TooLargeError
from agentrollouts.improver.budget import MOST_TOKENS, Usage
from agentrollouts.improver.ports import Answer, Problem
from agentrollouts.improver.proposal import Proposal
from agentrollouts.improver.request import Message

TIMEOUT = 180.0
"""Seconds an answer may take: it is a whole prompt, written by a model that may think first."""
_NOTHING = Usage(input_tokens=0, output_tokens=0)


class ChatModel:
    """Implements :class:`agentrollouts.improver.ports.Model`."""

    def __init__(self, *, base_url: str, api_key: str, model: str, timeout: float = TIMEOUT) -> None:
        self._model = model
        self._http = BoundedClient()
        self._client = client_of(self._http, url=base_url, api_key=api_key, timeout=timeout)

    async def close(self) -> None:
        """Close the pool."""
        await self._http.aclose()

    async def ask(self, messages: Sequence[Message]) -> Answer:
        """One request, never repeated."""
        try:
            return await self._ask(messages)
        except openai.APITimeoutError:
            return _none("Unreachable", "the model's endpoint didn't answer in time", None)
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                words = (
                    f"the model's endpoint wants another key (HTTP {error.status_code}): check the API key"
                )
                return _none("KeyRefused", words, _NOTHING)
            # NB: the body is the endpoint's own and may hold anything; the number says enough.
            return _none(
                "Unreachable", f"the model's endpoint answered with HTTP {error.status_code}", _NOTHING
            )
        except (openai.APIConnectionError, TooLargeError) as error:
            if is_too_large(error):
                return _none("Nonsense", f"the answer is longer than {LARGEST} bytes", None)
            return _none(
                "Unreachable",
                "the model's endpoint can't be reached: check its URL and the network",
                _NOTHING,
            )

    async def _ask(self, messages: Sequence[Message]) -> Answer:
        completions: Any = self._client.chat.completions
        raw = await completions.with_raw_response.parse(
            model=self._model,
            messages=list(messages),
            response_format=Proposal,
            max_completion_tokens=MOST_TOKENS,
        )
        # NB: read from the raw answer, for one that can't be parsed has been paid for as well.
        usage = _usage(raw.http_response.content)
        said = answer_in(raw, Proposal, most_tokens=MOST_TOKENS)
        if isinstance(said, NoAnswer):
            return _none(said.problem, said.words, usage)
        return Answer(proposal=said, text=said.model_dump_json(), usage=usage)


def _none(problem: Problem, words: str, usage: Usage | None) -> Answer:
    return Answer(proposal=None, problem=problem, words=words, usage=usage)


def _usage(body: bytes) -> Usage | None:
    """Prompt and completion tokens of a chat completion; None where they aren't told, or can't be true."""
    try:
        told = json.loads(body)["usage"]
        counts = told["prompt_tokens"], told["completion_tokens"]
    except (ValueError, TypeError, LookupError):
        return None
    if not all(type(count) is int and count > 0 for count in counts):
        return None
    return Usage(input_tokens=counts[0], output_tokens=counts[1])
