"""The CRDs' rules between fields, in Python, by the message with which the API server refuses.

A rule gets the value it stands at, with the schema's defaults filled in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from agentrollouts.api.before_traffic import PROOF_KINDS
from agentrollouts.api.breakers import BREAKER_KINDS
from agentrollouts.api.checks import CHECK_KINDS
from agentrollouts.api.notify import NOTIFIER_KINDS
from agentrollouts.api.promql_check import LIMITS
from agentrollouts.api.scalars import FULL, MOST_GROWTH, parse_duration, parse_number, parse_percent

Rule = Callable[[Any], bool]


def _given(value: Mapping[str, Any], *names: str) -> int:
    return sum(name in value for name in names)


def _shares(items: Any) -> list[int]:
    return [parse_percent(item["share"]) for item in items]


def _ordered(value: Mapping[str, Any], *names: str) -> bool:
    numbers = [parse_percent(value[name], most=MOST_GROWTH) for name in names]
    return all(low <= high for low, high in pairwise(numbers))


def _both(value: Mapping[str, Any], *names: str) -> bool:
    """Whether two percentages are in order, where both are given."""
    return _given(value, *names) < len(names) or _ordered(value, *names)


def _within(value: Mapping[str, Any], name: str, low: int, high: int) -> bool:
    return name not in value or low <= parse_percent(value[name], most=MOST_GROWTH) <= high


def _at_least_a_percent(name: str) -> Rule:
    return lambda it: _within(it, name, 100, MOST_GROWTH)


def _has_http_port(template: Any) -> bool:
    return any(
        port.get("name") == "http"
        for each in template["spec"]["containers"]
        for port in each.get("ports") or ()
    )


RULES: Mapping[str, Rule] = {
    "metadata.name must equal spec.agent: an agent has one Rollout": lambda it: (
        it["metadata"]["name"] == it["spec"]["agent"]
    ),
    "metadata.name must be <spec.agent>-<spec.version>, such as support-1.2.0, so that a version exists only once": (
        lambda it: it["metadata"]["name"] == f"{it['spec']['agent']}-{it['spec']['version']}"
    ),
    "give exactly one of template (the operator makes the Deployment) and deploymentRef (you own it)": (
        lambda it: _given(it, "template", "deploymentRef") == 1
    ),
    "a parameter's name may have at most 64 characters": lambda it: all(len(name) <= 64 for name in it),
    "give one container a port named http: that is where the agent is called": _has_http_port,
    "give at most one of header and cookie": lambda it: _given(it, "header", "cookie") <= 1,
    "give at most one strategy: steps, selfTuning or manual": (
        lambda it: _given(it, "steps", "selfTuning", "manual") <= 1
    ),
    "each step's share must be larger than the one before; a candidate never steps down": (
        lambda it: all(low < high for low, high in pairwise(_shares(it)))
    ),
    "a step's share must be above 0% and below 100%; the last step to 100% comes by itself after approval": (
        lambda it: all(0 < share < FULL for share in _shares(it))
    ),
    "floor must be at most start, and start at most ceiling": lambda it: _ordered(
        it, "floor", "start", "ceiling"
    ),
    "promoteBelow must be at most rollbackAbove; between the two the share is held": (
        lambda it: _ordered(it, "promoteBelow", "rollbackAbove")
    ),
    "minimumSamples must be at most window, or the failure rate would never count": (
        lambda it: it["minimumSamples"] <= it["window"]
    ),
    "the shares of a manual strategy must add up to 100%": lambda it: sum(_shares(it)) == FULL,
    "write at least 10m between two proposals": lambda it: parse_duration(it).total_seconds() >= 600,
    "write at least 1s": lambda it: parse_duration(it).total_seconds() >= 1,
    "write a timeout of more than 0s and at most 2m": (
        lambda it: 0 < parse_duration(it["timeout"]).total_seconds() <= 120
    ),
    f"give exactly one kind of check: {', '.join(CHECK_KINDS)}": lambda it: _given(it, *CHECK_KINDS) == 1,
    f"give exactly one kind of breaker: {', '.join(BREAKER_KINDS)}": (
        lambda it: _given(it, *BREAKER_KINDS) == 1
    ),
    f"give exactly one kind of notifier: {', '.join(NOTIFIER_KINDS)}": (
        lambda it: _given(it, *NOTIFIER_KINDS) == 1
    ),
    f"give exactly one kind of proof: {', '.join(PROOF_KINDS)}": lambda it: _given(it, *PROOF_KINDS) == 1,
    "write a timeout of more than 0s and at most 24h": (
        lambda it: "timeout" not in it or 0 < parse_duration(it["timeout"]).total_seconds() <= 86_400
    ),
    "give either stable: true or configMap and key": (
        lambda it: bool(it.get("stable")) == ("configMap" not in it) == ("key" not in it)
    ),
    "give either ledger or configMap and key": (
        lambda it: ("ledger" in it) == ("configMap" not in it) == ("key" not in it)
    ),
    "give embedding with compare: Embedding, and only then": (
        lambda it: (it.get("compare") == "Embedding") == ("embedding" in it)
    ),
    "tolerance must be at most maxDrop": lambda it: _both(it, "tolerance", "maxDrop"),
    "tolerance must be at most maxIncrease": lambda it: _both(it, "tolerance", "maxIncrease"),
    "tolerance must be at most maxChange": lambda it: _both(it, "tolerance", "maxChange"),
    "a quantile must be above 0% and below 100%, such as 99%": lambda it: _within(
        it, "quantile", 1, FULL - 1
    ),
    f"give at least one of {', '.join(LIMITS)}: without a limit there is nothing to judge": (
        lambda it: _given(it, *LIMITS) > 0
    ),
    "min must be at most max, or no value would pass": (
        lambda it: _given(it, "min", "max") < 2 or parse_number(it["min"]) <= parse_number(it["max"])
    ),
    "falseRollback must be from 0.1% to 50%": lambda it: _within(it, "falseRollback", 10, FULL // 2),
    "falsePromotion must be from 0.1% to 50%": lambda it: _within(it, "falsePromotion", 10, FULL // 2),
    **{
        f"{name} must be at least 1%": _at_least_a_percent(name)
        for name in ("toolMix", "topicMix", "responseLength", "events")
    },
    "window must be at least interval, or sessions would fall between two looks": (
        lambda it: parse_duration(it["window"]) >= parse_duration(it["interval"])
    ),
    "write at least 1m": lambda it: parse_duration(it).total_seconds() >= 60,
    "write a window from 10m to 168h": lambda it: 600 <= parse_duration(it).total_seconds() <= 604_800,
    "each claim in require needs a key that may vouch for it, or no version could ever start": lambda it: all(
        any(not key.get("claims") or claim in key["claims"] for key in it["keys"]) for claim in it["require"]
    ),
    "give atLeast and outOf together, or neither": lambda it: _given(it, "atLeast", "outOf") != 1,
    "atLeast must be at most outOf, or it would never be reached": (
        lambda it: _given(it, "atLeast", "outOf") < 2 or it["atLeast"] <= it["outOf"]
    ),
}
