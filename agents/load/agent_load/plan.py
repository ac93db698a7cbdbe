"""How much load of which kind: everything a run depends on, so that the same plan asks the same questions again."""

from __future__ import annotations

from dataclasses import dataclass

from agent_load.truth import KINDS


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """`rate` is tasks a second over all users; sessions arrive at random (Poisson) so that their tasks add up to it.

    `key_header` names the header that carries the user; empty means that the user brings no key and sends on the
    `x-agent-session` the router minted. `sse` and `ws` are the fractions of sessions over event streams and
    WebSockets. `about` are the kinds of questions that are asked; empty means all. All times are in seconds. `duration` None runs until stopped; `max_requests` bounds the ledger.
    """

    url: str
    users: int = 200
    rate: float = 20.0
    tasks_per_session: tuple[int, int] = (1, 5)
    duration: float | None = None
    key_header: str = "x-user-id"
    think: float = 0.2
    sse: float = 0.0
    ws: float = 0.0
    sse_chunks: int = 8
    sse_interval: float = 0.01
    timeout: float = 30.0
    max_requests: int = 1_000_000
    seed: int = 1
    about: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        low, high = self.tasks_per_session
        _require(self.url.startswith("http://"), "url must be an http:// address", self.url)
        _require(1 <= self.users <= 100_000, "users must be from 1 to 100000", self.users)
        _require(0 < self.rate <= 10_000, "rate must be above 0 and at most 10000 a second", self.rate)
        _require(1 <= low <= high <= 1000, "tasks_per_session must be 1 <= low <= high <= 1000", (low, high))
        _require(self.duration is None or self.duration > 0, "duration must be above 0 s", self.duration)
        _require(
            self.think >= 0 and self.timeout > 0,
            "think and timeout must be times",
            (self.think, self.timeout),
        )
        _require(
            min(self.sse, self.ws) >= 0 and self.sse + self.ws <= 1,
            "sse and ws must be fractions of at most 1 together",
            (self.sse, self.ws),
        )
        _require(
            set(self.about) <= set(KINDS), f"about must be some of {', '.join(KINDS)}", ", ".join(self.about)
        )
        _require(
            1 <= self.max_requests <= 10_000_000,
            "max_requests must be from 1 to 10 million",
            self.max_requests,
        )

    @property
    def sessions_per_second(self) -> float:
        """Arrivals of sessions that give `rate` tasks a second."""
        return self.rate * 2 / sum(self.tasks_per_session)


def _require(holds: bool, expectation: str, seen: object) -> None:
    if not holds:
        raise ValueError(f"{expectation}; got {seen!r}")
