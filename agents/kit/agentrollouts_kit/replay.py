"""One task that is done again: what its tools answered then, which is what they answer now, and what it does this time.

A process in replay mode (`AGENT_REPLAY=1`) is nobody's: it counts nothing, writes nothing to the ledger, and runs no tool for real but
those that the release marks as safe, whoever asks it.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from agentrollouts_kit.records import ABSENT
from agentrollouts_kit.room import Room
from agentrollouts_kit.tally import Tally

MAX_CALLS: Final = 1000
"""Calls of one task that are told to the replayer."""
_MAX_ERROR: Final = 1024
_MAX_NAME: Final = 128

RECORDED: Final = "recorded"
REPEATED: Final = "repeated"
LIVE: Final = "live"
REFUSED: Final = "refused"
TOLD: Final = "told"


class Answered(NamedTuple):
    """How a call is answered. `source` LIVE: by running the tool; REFUSED: `error` says why it isn't run."""

    source: str
    result: Any = None
    error: str | None = None


class Replay:
    """The task's record and its course. Tools may run in several threads."""

    def __init__(self, calls: Sequence[Mapping[str, Any]] = (), *, safe_tools: Collection[str] = ()) -> None:
        self._recorded = calls
        self._safe = safe_tools
        self._used: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()
        self._made: list[dict[str, object]] = []
        self._room = Room()
        self._output: object = ABSENT
        self._outcome = ""
        self._usage: Counter[str] = Counter()
        self._cost = 0.0

    def answer(self, name: str, arguments: object, *, defaults: Mapping[str, Any] | None = None) -> Answered:
        """What a call gets: the n-th same call what the n-th such call got then; where these are used up, the last again.

        Arguments that are the tool's `defaults` may be left out on either side.
        """
        usual = defaults or {}
        key = name, canonical(without_defaults(arguments, usual))
        same = [call for call in self._recorded if _key(call, usual) == key]
        with self._lock:
            number, self._used[key] = self._used[key], self._used[key] + 1
        if same:
            found = same[min(number, len(same) - 1)]
            source = RECORDED if number < len(same) else REPEATED
            return Answered(source, found.get("result"), found.get("error"))
        if name in self._safe:
            return Answered(LIVE)
        return Answered(
            REFUSED,
            error=f"nothing was done: this is a replay, and the record has no call of {name} with these arguments",
        )

    def note(self, name: str, *, arguments: object, error: str | None, source: str = TOLD) -> None:
        """A call that was made, for the replayer."""
        with self._lock:
            if len(self._made) < MAX_CALLS:
                self._made.append(
                    {
                        "name": str(name)[:_MAX_NAME] or "unnamed",
                        "arguments": self._room.copy(arguments),
                        "error": None if error is None else str(error)[:_MAX_ERROR],
                        "source": source,
                    }
                )

    def tell_output(self, value: object) -> None:
        """The answer, where it is another one than the HTTP answer."""
        with self._lock:
            self._output = self._room.copy(value)

    def finish(self, tally: Tally, outcome: str) -> None:
        """A task of the request has ended. Of several the last one's outcome is told, and what all took."""
        with self._lock:
            self._outcome = outcome
            self._cost += tally.cost_usd
            self._usage.update(
                llmCalls=tally.llm_calls, inputTokens=tally.input_tokens, outputTokens=tally.output_tokens
            )

    def report(self) -> dict[str, object]:
        """All of it, as the replayer takes it."""
        with self._lock:
            told = self._output is not ABSENT
            return {
                "outcome": self._outcome,
                "calls": list(self._made),
                "usage": {"costDollars": self._cost or None, **self._usage},
                "output": self._output if told else None,
                "hasOutput": told,
                "safeTools": sorted(self._safe),
            }


def without_defaults(arguments: object, defaults: Mapping[str, Any]) -> object:
    """Arguments without those that say what the tool would have assumed."""
    if not isinstance(arguments, Mapping):
        return arguments
    return {
        name: value
        for name, value in arguments.items()
        if name not in defaults or canonical(value) != canonical(defaults[name])
    }


def canonical(value: object) -> str:
    """A value as the text that equal ones share, 1 and 1.0 for one; taken from JSON, as a record holds it."""
    return json.dumps(_plain(Room().copy(value)), sort_keys=True, separators=(",", ":"))


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _key(call: Mapping[str, Any], defaults: Mapping[str, Any]) -> tuple[Any, str]:
    return call.get("name"), canonical(without_defaults(call.get("arguments"), defaults))
