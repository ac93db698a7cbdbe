"""What a Prometheus server's answer says: series by agent, or why there are none. Pure, and the hot path of a tick."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import inf
from typing import Any

from agentrollouts.core.asked import Row
from agentrollouts.core.evidence import CounterQuery, Point, Series, SeriesKey, Unavailable
from agentrollouts.metrics.identity import identity_of, merged
from agentrollouts.metrics.promql import COUNTER
from agentrollouts.ports import AgentKey, AgentSeries

KINDS = frozenset({"vector", "matrix"})


class MalformedError(Exception):
    """The answer isn't what the API promises; the message says what was expected and what came."""


def result_of(answer: object) -> Sequence[Mapping[str, Any]]:
    """The list of series in a successful answer.

    Both a vector and a matrix are read, whatever was asked: a vector is one sample of each series.

    Raises:
        MalformedError: the answer isn't a success with a list of series.
    """
    if not isinstance(answer, dict):
        raise MalformedError(f"expected a JSON object, got {type(answer).__name__}")
    if answer.get("status") != "success":
        raise MalformedError(f"status {answer.get('status')!r}: {error_of(answer)}")
    data = answer.get("data")
    kind = data.get("resultType") if isinstance(data, dict) else None
    result = data.get("result") if isinstance(data, dict) else None
    if kind not in KINDS or not isinstance(result, list):
        raise MalformedError(f"expected a vector or a matrix, got resultType {kind!r}")
    return result


def error_of(answer: Mapping[str, Any]) -> str:
    """The server's own words for what went wrong."""
    return f"{answer.get('errorType') or 'no error type'}: {answer.get('error') or 'no message'}"


def series_by_agent(
    result: Sequence[Mapping[str, Any]], query: CounterQuery, agents: Collection[AgentKey]
) -> AgentSeries:
    """The series of the wanted agents. An agent with a broken one is Unavailable: half its counters would be a wrong sum.

    Raises:
        MalformedError: an entry isn't a series at all.
    """
    counters: dict[AgentKey, dict[SeriesKey, tuple[Point, ...]]] = {agent: {} for agent in agents}
    again: dict[tuple[AgentKey, SeriesKey], list[tuple[Point, ...]]] = {}
    broken: dict[AgentKey, Unavailable] = {}
    try:
        for entry in result:
            labels = entry["metric"]
            agent, key, unnamed = identity_of(labels, query.dimension)
            by_key = counters.get(agent)
            if by_key is None:
                continue
            points = _points(entry)
            problem = _problem(points) or unnamed
            if problem:
                broken[agent] = Unavailable(
                    f"{query.metric} of {agent.namespace}/{agent.agent}: {problem} in {labels}"
                )
                continue
            if by_key.setdefault(key, points) is not points:
                again.setdefault((agent, key), []).append(points)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"expected series, got {str(entry)[:200]}") from error
    for (agent, key), others in again.items():
        counters[agent][key] = merged([counters[agent][key], *others])
    return {
        agent: tuple([Series(query, key, points) for key, points in by_key.items()])
        for agent, by_key in counters.items()
        if by_key
    } | broken


def by_counter(
    result: Sequence[Mapping[str, Any]], metrics: Collection[str]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The series of a bundle by the counter they are of, without the label that tells it.

    Raises:
        MalformedError: an entry isn't a series, or of none of these counters.
    """
    found: dict[str, list[Mapping[str, Any]]] = {metric: [] for metric in metrics}
    try:
        for entry in result:
            labels = dict(entry["metric"])
            name = labels.pop(COUNTER, None) or labels["__name__"]
            found[name].append({**entry, "metric": labels})
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedError(f"expected series of {', '.join(metrics)}; got {str(error)[:200]}") from error
    return found


def rows_of(result: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    """One value for each series, whatever number it is.

    Raises:
        MalformedError: samples over time, a native histogram, or an entry that is no series.
    """
    rows: list[Row] = []
    for entry in result:
        try:
            if "value" not in entry:
                raise MalformedError(
                    "expected one number for each series, got samples over time or a native histogram;"
                    " put a function around it, such as rate() or histogram_quantile()"
                )
            _, text = entry["value"]
            labels = {name: value for name, value in entry["metric"].items() if name != "__name__"}
            rows.append(Row(labels, float(text)))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise MalformedError(f"expected series, got {str(entry)[:200]}") from error
    return tuple(rows)


def joined(earlier: AgentSeries, later: AgentSeries) -> AgentSeries:
    """Two stretches of time of the same counters, one behind the other."""
    both: dict[AgentKey, tuple[Series, ...] | Unavailable] = dict(earlier)
    for agent, series in later.items():
        before = both.get(agent, ())
        if isinstance(before, Unavailable):
            continue
        if isinstance(series, Unavailable):
            both[agent] = series
            continue
        known = {one.key: one for one in before}
        for one in series:
            old = known.get(one.key)
            known[one.key] = Series(one.query, one.key, old.points + one.points) if old else one
        both[agent] = tuple(known.values())
    return both


def _points(entry: Mapping[str, Any]) -> tuple[Point, ...]:
    """The samples; none of a native histogram."""
    value = entry.get("value")
    if value is not None:
        time, text = value
        return (Point(time, float(text)),)
    return tuple([Point(time, float(text)) for time, text in entry.get("values") or ()])


def _problem(points: tuple[Point, ...]) -> str:
    """What is wrong with samples, or nothing."""
    if not points:
        return "no plain samples (a native histogram?)"
    for _, value in points:
        # NB: false for NaN too, which compares with nothing.
        if not 0.0 <= value < inf:
            return f"a counter can't be {value}"
    return ""
