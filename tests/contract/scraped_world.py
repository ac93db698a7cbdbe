"""Agents, their pods and a scraper, with the truth kept beside: what evidence must add up to, counted while it happens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from agentrollouts.core.evidence import Arm, Cell
from tests.contract.loaded_prometheus import Sample

METRIC = "agent_tasks_total"
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SCRAPE = 5.0
ARMS = (Arm("1.0.0", "stable"), Arm("1.0.0", "control"), Arm("2.0.0", "candidate"))
OUTCOMES = ("success", "failure")


@dataclass(slots=True)
class Pod:
    """A pod's counters, and when it was scraped last."""

    name: str
    version: str
    counts: dict[tuple[str, str], float]
    scraped: dict[tuple[str, str], float] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """Time moves in steps of a scrape interval. Tasks that no scrape ever saw are not in the truth: nobody can know them."""

    record: Callable[[Sample], None]
    time: float = START.timestamp()
    pods: list[Pod] = field(default_factory=list)
    truth: dict[Arm, dict[Cell, float]] = field(default_factory=dict)
    counting: bool = False
    _born: int = 0

    def now(self) -> datetime:
        """The world's clock."""
        return datetime.fromtimestamp(self.time, UTC)

    def wait(self, seconds: float) -> None:
        """Time goes by, in whole milliseconds: a sum of floats would differ from the same moment as a datetime."""
        self.time = round(self.time + seconds, 3)

    def start_pod(self, version: str, *, first: float = 0.0) -> Pod:
        """A new pod; its label sets exist at zero, or at what it had counted before the world began."""
        self._born += 1
        cohorts = [arm.cohort for arm in ARMS if arm.version == version]
        pod = Pod(f"p-{self._born}", version, {(c, o): first for c in cohorts for o in OUTCOMES})
        self.pods.append(pod)
        return pod

    def work(self, pod: Pod, cohort: int, outcome: str, tasks: int) -> None:
        """So many tasks end in this pod."""
        cells = [cell for cell in pod.counts if cell[1] == outcome]
        pod.counts[cells[cohort % len(cells)]] += tasks

    def stop_pod(self, pod: Pod) -> None:
        """The pod is scraped while it drains, and goes."""
        self.scrape(pod)
        self.pods.remove(pod)

    def reset_pod(self, pod: Pod) -> None:
        """The process starts again without its counters, and is scraped before it counts on."""
        self.wait(0.5)
        pod.counts = dict.fromkeys(pod.counts, 0.0)
        pod.scraped = dict.fromkeys(pod.counts, 0.0)
        self.scrape(pod)

    def step(self) -> None:
        """One scrape interval goes by."""
        self.wait(SCRAPE)

    def begin(self) -> None:
        """The rollout starts: what was counted until now is the baseline."""
        for pod in self.pods:
            self.scrape(pod)
        self.counting = True

    def scrape(self, pod: Pod) -> None:
        """The server reads one pod's counters."""
        self.wait(0.001)  # two scrapes of a series are never at one time
        for (cohort, outcome), count in pod.counts.items():
            labels = {"namespace": "shop", "agent": "support", "version": pod.version, "cohort": cohort}
            labels |= {"pod": pod.name, "outcome": outcome, "job": "agents", "instance": f"{pod.name}:9464"}
            self.record(Sample(METRIC, labels, self.time, count))
            gained = count - pod.scraped.get((cohort, outcome), 0.0)
            pod.scraped[cohort, outcome] = count
            if self.counting:
                cells = self.truth.setdefault(Arm(pod.version, cohort), {})
                cells[Cell(METRIC, outcome)] = cells.get(Cell(METRIC, outcome), 0.0) + gained


HISTORY = timedelta(minutes=5)
"""How far before the start a history reaches."""
