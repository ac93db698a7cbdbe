"""A forecast as JSON: times in seconds, shares and rates as fractions; null for what isn't there within the horizon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agentrollouts.api.rollout import RolloutSpec
from agentrollouts.api.scalars import FULL
from agentrollouts.planning.forecast import Forecast, Prospect, Times
from agentrollouts.planning.limits import findings, limits, warnings


def document(spec: RolloutSpec, found: Forecast, *, seed: int) -> Mapping[str, Any]:
    """Everything `plan` says."""
    good, world = found.as_good, found.world
    return {
        "agent": spec.agent,
        "version": spec.version,
        "mode": spec.analysis.effective.mode,
        "assumed": {
            "sessionsPerMinute": world.sessions_per_minute,
            "tasksPerSession": world.tasks_per_session,
            "success": world.success,
            "correlation": world.correlation,
            "costOfCap": world.cost,
        },
        "runs": found.prospects[0].runs,
        "seed": seed,
        "horizonSeconds": found.horizon.total_seconds(),
        "prospects": [_prospect(each) for each in found.prospects],
        "limits": [
            {
                "what": limit.what,
                "share": limit.share / FULL,
                "seconds": limit.time.total_seconds(),
                "message": limit.sentence,
            }
            for limit in (limits(good) if good else ())
        ],
        "warnings": [*warnings(spec, world, found.horizon), *findings(spec, found)],
    }


def _prospect(each: Prospect) -> Mapping[str, Any]:
    return {
        "effectPoints": round(each.effect * 100, 2),
        "promoted": each.promoted,
        "rolledBack": each.rolled_back,
        "paused": each.paused,
        "undecided": each.unfinished,
        "promotionSeconds": _times(each.promotion),
        "caughtSeconds": _times(each.caught),
        "excessBadTasks": {"median": each.excess[0], "p90": each.excess[1]},
        "shares": [{"share": share / FULL, "reachedSeconds": _times(times)} for share, times in each.reached],
    }


def _times(times: Times) -> Mapping[str, float | None]:
    return {"median": _seconds(times.median), "p90": _seconds(times.most)}


def _seconds(time: timedelta | None) -> float | None:
    return None if time is None else round(time.total_seconds(), 3)
