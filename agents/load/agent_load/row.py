"""One request as its user saw it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Verdict = Literal["right", "wrong", "none"]
ABANDONED = "abandoned"
"""The error of a request that was still running when the load was stopped: nobody's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Times are seconds since the epoch, taken from a clock that never steps back; NaN where nothing came.

    `routed` is when the route was chosen: for a WebSocket its handshake, else when the request was sent. `status` is
    0 when no response came, and 101 for a WebSocket message. `version` is who answered by the answer itself,
    `routed_version` who answered by the router's header, `cohort` likewise. `error` is empty, a class of transport
    error (connect, timeout, reset, closed, truncated, abandoned) or `http`. `verdict` is none without an answer.
    """

    sent: float
    user: int
    session: int
    mode: Literal["http", "sse", "ws"] = "http"
    routed: float = math.nan
    first_byte: float = math.nan
    done: float = math.nan
    status: int = 0
    version: str = ""
    routed_version: str = ""
    cohort: str = ""
    expected: str = ""
    label: str = ""
    error: str = ""
    verdict: Verdict = "none"
    ends_session: bool = False

    def to_json(self) -> dict[str, Any]:
        """For a line of JSON; NaN becomes null."""
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Row:
        """The inverse of `to_json`. Raises TypeError on an unknown field."""
        given: dict[str, Any] = {name: math.nan if value is None else value for name, value in values.items()}
        return cls(**given)


FIELDS = tuple(field.name for field in fields(Row))
