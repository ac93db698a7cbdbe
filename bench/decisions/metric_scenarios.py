"""Rollouts whose truth is known, judged by several metrics at once. All of them wait at a gate, looked at every minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, cos, pi
from types import MappingProxyType

COHORTS = ("canary", "control", "stable")
EDGES = (1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Seconds: the buckets that OpenTelemetry recommends for calls of models double from one to the next."""
TOOLS = ("search", "read", "write", "sql", "mail", "shell")
MIX = (0.35, 0.25, 0.20, 0.12, 0.08, 0.0)
"""How the old version's calls are spread over the tools."""
CAP = 15.0
"""The budget of a task; what it costs beyond isn't counted."""
SHARES, LATER = (0.05, 0.05, 0.90), (0.20, 0.20, 0.60)
WEIGHTS = MappingProxyType({"success": 0.6, "cost": 0.15, "latency": 0.15, "tools": 0.05, "refusal": 0.05})
TOLERANCES = MappingProxyType({"success": 0.0, "cost": 0.10, "latency": 0.10, "tools": 0.05, "refusal": 0.01})
"""Worse by less than this is as good; cost and latency relative, the others in points."""
MARGINS = MappingProxyType({"success": 0.05, "cost": 0.30, "latency": 0.30, "refusal": 0.05})
"""Worse by this is too bad to be promoted. The mix of tools is a guard: it can't promote."""
DAY, PHASES = 240, 8
"""Ticks from one quiet hour to the next where everything drifts, and the parts that it is cut into."""
LAG = 3
"""Ticks from the first task of a session to its end, if the agent is as slow as ever."""


@dataclass(frozen=True, slots=True)
class MetricScenario:
    """One kind of rollout; ``blame`` are the metrics that are worse by more than their tolerance.

    ``cost`` and ``latency`` multiply, ``success`` and ``refusals`` add to a chance. ``split`` is how callers really are
    split. ``rate`` is the sessions a tick of all cohorts, ``size`` the tasks of a session, ``tied`` the part of the sessions
    whose tasks share one fate. ``widened`` is the tick at which the shares change.
    """

    name: str
    blame: tuple[str, ...] = ()
    cost: float = 1.0
    latency: float = 1.0
    mix: Sequence[float] = MIX
    success: float = 0.0
    refusals: float = 0.0
    split: tuple[float, float, float] | None = None
    drifts: bool = False
    size: int = 1
    tied: float = 0.0
    rate: float = 100.0
    ticks: int = 600
    widened: int | None = None

    @property
    def lag(self) -> int:
        """Ticks until a session of the candidate is over."""
        return ceil(LAG * self.latency)

    def shares(self, tick: int) -> tuple[float, float, float]:
        """The configured shares."""
        return LATER if self.widened is not None and tick >= self.widened else SHARES

    def wave(self, phase: int) -> float:
        """How far from the quiet hour, 0 to 1: all metrics of both versions move with it."""
        return 0.5 - 0.5 * cos(2.0 * pi * phase / PHASES) if self.drifts else 0.0

    def phase(self, tick: int) -> int:
        """The part of the day."""
        return tick % DAY * PHASES // DAY if self.drifts else 0


def without(tool: str) -> tuple[float, ...]:
    """The old mix when one tool is never called."""
    gone = MIX[TOOLS.index(tool)]
    return tuple(0.0 if name == tool else part / (1.0 - gone) for name, part in zip(TOOLS, MIX, strict=True))


def with_new(part: float) -> tuple[float, ...]:
    """The old mix when this part of the calls goes to the tool that nobody used."""
    return (*(usual * (1.0 - part) for usual in MIX[:-1]), part)


def _scenarios() -> tuple[MetricScenario, ...]:
    def everything(name: str, *blame: str, **effect: object) -> MetricScenario:
        """With drift, and ten tasks a session that share their fate in half of them."""
        fields = {"drifts": True, "size": 10, "tied": 0.5} | effect
        return MetricScenario(name, blame, **fields)  # type: ignore[arg-type]

    def plain(name: str, *blame: str, **effect: object) -> MetricScenario:
        return MetricScenario(name, blame, **effect)  # type: ignore[arg-type]

    routing = (0.03, 0.07, 0.90)
    return (
        plain("aa"),
        plain("aa_drift", drifts=True),
        plain("aa_cluster", size=10, tied=0.5),
        everything("aa_all"),
        plain("aa_low", rate=20.0),
        everything("aa_all_long", ticks=3000),
        everything("aa_stage", widened=200),
        plain("cost10", cost=1.1),
        plain("lat5", latency=1.05),
        plain("tools3", mix=with_new(0.03)),
        plain("cost30", "cost", cost=1.3),
        plain("cost100", "cost", cost=2.0),
        everything("cost30_all", "cost", cost=1.3),
        plain("lat20", "latency", latency=1.2),
        plain("lat100", "latency", latency=2.0),
        everything("lat100_all", "latency", latency=2.0),
        plain("vanish20", "tools", mix=without("write")),
        plain("new15", "tools", mix=with_new(0.15)),
        everything("new15_all", "tools", mix=with_new(0.15)),
        plain("refuse5", "refusal", refusals=0.05),
        plain("split3", "split", split=routing),
        everything("split3_all", "split", split=routing),
        plain("suc10_cost-30", "success", success=-0.10, cost=0.7),
        plain("two_slight", "success", "cost", success=-0.04, cost=1.2),
        everything("suc10_all", "success", success=-0.10),
    )


METRIC_SCENARIOS = _scenarios()
