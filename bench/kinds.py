"""What the fleet's rollouts have in common: the base class of :mod:`fleet_kind`, the fake pod, the counters and the limit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

QUERIES = (
    "task_failed_ratio",
    "task_refused_ratio",
    "task_slow_ratio",
    "tool_call_failed_ratio",
    "cost_over_budget_ratio",
)
"""Five ratios. Each is a counter of bad events (``…_total`` instead of ``…_ratio``) over ``task_total``."""
LIMIT = 0.1
"""Above this share of bad events a candidate is rolled back."""

Object = dict[str, Any]
Placed = tuple[str, Object]
"""A path (of a collection, or of the object itself) and what to write there."""


@dataclass(frozen=True, slots=True)
class Options:
    """``interval`` in seconds, ``hold_weight`` in percent."""

    interval: int
    hold_weight: int = 10


class Kind(ABC):
    """How one kind of rollout is made, started and read."""

    name: str
    route: str
    crs: str

    def __init__(self, o: Any) -> None:
        self.o = o

    @abstractmethod
    def objects(self, ns: str, name: str, node: str) -> list[Placed]:
        """One agent: everything it needs, with the first version serving."""

    @abstractmethod
    def new_version(self, ns: str, name: str) -> Placed:
        """The object to patch, and the merge patch that starts the candidate."""

    @abstractmethod
    def ready(self, cr: Object) -> bool:
        """Whether the first version serves."""

    @abstractmethod
    def weight(self, route: Object) -> tuple[tuple[str, str], float] | None:
        """((namespace, rollout), the candidate's share in percent)."""


def pod_template(name: str, node: str, version: str) -> Object:
    """A pod on a fake node: bound without a scheduler, Ready without a container."""
    agent = {
        "name": "agent",
        "image": "none.invalid/fake",
        "env": [{"name": "VERSION", "value": version}],
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}},
    }
    spec = {
        "nodeName": node,
        "tolerations": [{"operator": "Exists"}],
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [agent],
    }
    return {"metadata": {"labels": {"app": name}}, "spec": spec}
