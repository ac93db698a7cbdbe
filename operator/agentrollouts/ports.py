"""What the core needs from the world, as Protocols. Adapters implement them; every fake passes the same contract suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

from agentrollouts.api.advisor import AdvisorSpec
from agentrollouts.api.bundle import BundleStatus
from agentrollouts.api.notify import NoticeStatus, NotifierSpec
from agentrollouts.core.asked import Row
from agentrollouts.core.evidence import CounterQuery, Series, Unavailable
from agentrollouts.core.opinion import NoOpinion, Opinion
from agentrollouts.core.question import Question


class Key(NamedTuple):
    """One object the scheduler looks after."""

    kind: Literal["Rollout", "AgentVersion"]
    namespace: str
    name: str


class AgentKey(NamedTuple):
    """An agent, as its metrics name it."""

    namespace: str
    agent: str


@dataclass(frozen=True, slots=True)
class Reference:
    """An object in the cluster, as events and owner references need it."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


class ConflictError(Exception):
    """The object changed since it was read (or exists already): look again, nothing was written."""


class GoneError(Exception):
    """The object doesn't exist any more: nothing to write to."""


class TransientError(Exception):
    """The API server couldn't serve the write now: try again later."""


class TerminalError(Exception):
    """The API server refused the write for good: only a person can help. The message is the server's."""


class Cluster(Protocol):
    """Writes to Kubernetes. Reads come from watches, never from here.

    Every write raises ConflictError, GoneError, TransientError or TerminalError and nothing else.
    """

    async def create_route(self, reference: Reference, spec: Mapping[str, Any], *, owner: Reference) -> None:
        """Create the AgentRoute ``reference``; ConflictError if it exists."""

    async def replace_route(
        self, reference: Reference, spec: Mapping[str, Any], *, if_version: str, urgent: bool = False
    ) -> None:
        """Replace the AgentRoute's spec if it still has that resource version. ``urgent`` writes have a budget of their own."""

    async def patch_status(self, reference: Reference, status: Mapping[str, Any]) -> None:
        """Replace the status by server-side apply, with forced ownership."""

    async def apply(self, manifest: Mapping[str, Any]) -> None:
        """Server-side apply of an object the operator owns."""

    async def create(self, manifest: Mapping[str, Any]) -> None:
        """Create; ConflictError if it exists."""

    async def emit(
        self, regarding: Reference, *, reason: str, message: str, type: Literal["Normal", "Warning"]
    ) -> None:
        """An event; rate-limited, never raises."""


AgentSeries = Mapping[AgentKey, tuple[Series, ...] | Unavailable]
"""The counters of each agent. One agent's broken counters (NaN, a missing label) are Unavailable for that agent alone."""


class MetricSource(Protocol):
    """Raw counters, asked for many agents at once: the number of queries doesn't depend on the number of rollouts."""

    async def current(
        self, queries: Sequence[CounterQuery], agents: Sequence[AgentKey]
    ) -> Mapping[CounterQuery, AgentSeries | Unavailable]:
        """The newest sample of each counter. An agent without series is absent from its query's mapping."""

    async def history(
        self, queries: Sequence[CounterQuery], agents: Sequence[AgentKey], *, since: datetime, until: datetime
    ) -> Mapping[CounterQuery, AgentSeries | Unavailable]:
        """All samples in between, oldest first, for building up what a restart forgot."""

    async def ask(self, query: str) -> tuple[Row, ...] | Unavailable:
        """The answer to one query of a user's own, as of now: one row for each series, in no order. Never raises.

        It may be slow, and may not hold up the counters. What can't be answered, or is too large, is Unavailable with the
        server's words.
        """


class Advisor(Protocol):
    """Somebody who is asked before a candidate grows. What isn't an opinion is a NoOpinion, never an exception."""

    async def opinion(self, question: Question, *, spec: AdvisorSpec) -> Opinion | NoOpinion:
        """One answer, with the tokens it cost. May take for ever: whoever asks sets the limit."""

    async def close(self) -> None:
        """Let go of connections; nothing is asked any more."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person is told, and of which Rollout."""

    namespace: str
    rollout: str
    agent: str
    facts: NoticeStatus


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination took it."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """It didn't, and may later. ``reason`` names a host at most: the rest of a URL may be a secret."""

    reason: str
    retry_after: float | None = None
    """Seconds the destination asks to be left alone."""


class Notifier(Protocol):
    """Tells a person somewhere. What isn't delivered is an Undelivered, never an exception."""

    async def send(self, notice: Notice, *, spec: NotifierSpec) -> Delivered | Undelivered:
        """One try. The same notice may come again, with the same id. May take for ever: whoever asks sets the limit."""

    async def close(self) -> None:
        """Let go of connections; nothing is sent any more."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The evidence of one rollback, and of which Rollout."""

    namespace: str
    rollout: str
    uid: str
    agent: str
    facts: BundleStatus


@dataclass(frozen=True, slots=True)
class Kept:
    """The store has it, from this try or from an earlier one."""


@dataclass(frozen=True, slots=True)
class NotKept:
    """It hasn't. ``final``: it never will have this one, and only a person can help."""

    reason: str
    retry_after: float | None = None
    """Seconds the store asks to be left alone."""
    final: bool = False


class EvidenceStore(Protocol):
    """Keeps the evidence of rollbacks, for ever. What isn't kept is a NotKept, never an exception."""

    async def keep(self, bundle: Bundle) -> Kept | NotKept:
        """One try, with the newest tasks that the candidate failed. The same bundle may come again, and is kept once.

        May take for ever: whoever asks sets the limit.
        """

    async def close(self) -> None:
        """Let go of connections; nothing is kept any more."""


class Progress(Protocol):
    """Tells how far a Job before traffic has come. Only people go by it, so whatever goes wrong is no answer."""

    async def ask(self, address: str) -> str:
        """A few words from the pod at ``host:port``; empty where there are none. Ends within a few seconds."""

    async def close(self) -> None:
        """Let go of connections."""


class Clock(Protocol):
    """The time of day. One reading a tick."""

    def now(self) -> datetime:
        """Timezone-aware UTC."""
