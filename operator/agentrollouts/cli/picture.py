"""A forecast in the terminal: the ladder of shares over time, and for each regression a bar until it is caught."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import ceil
from typing import NamedTuple

from rich.text import Text

from agentrollouts.api.scalars import FULL, format_percent
from agentrollouts.planning.forecast import Forecast, Prospect, Times
from agentrollouts.planning.spans import lasting

LABEL, BAR = 11, 36
COLUMNS = ("median", "90%", "bad tasks", "caught")
WIDTHS = (7, 7, 11, 8)
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080)
"""Minutes between two marks of the axis: the first of these that leaves room for their names."""
MARKS = 4


class Signs(NamedTuple):
    """What bars are made of: until the median, from there to the 90 % quantile, a moment, beyond the end of the axis."""

    sure: str = "█"
    likely: str = "░"
    moment: str = "●"
    beyond: str = "›"
    mark: str = "┬"
    axis: str = "─"
    missing: str = "–"


UNICODE = Signs()
ASCII = Signs("#", ":", "o", ">", "+", "-", "-")


class Axis(NamedTuple):
    """From 0 to ``end`` on a line of ``BAR`` characters."""

    end: timedelta

    def at(self, time: timedelta) -> int:
        """The column of a moment."""
        return min(BAR, round(BAR * (time / self.end)))


def picture(forecast: Forecast, signs: Signs) -> Iterator[Text]:
    """Lines of at most 80 characters."""
    axis, good = Axis(_end(forecast)), forecast.as_good
    if good is not None:
        yield _head("share", "from", "90%")
        yield from _ladder(good, axis, signs)
        yield _ruler(axis, signs)
        yield Text()
    worse = [each for each in forecast.prospects if each.effect < 0.0]
    if worse:
        yield _head("candidate", *COLUMNS)
        for each in sorted(worse, key=lambda one: one.effect):
            yield _caught(each, axis, signs)
        yield _ruler(axis, signs)


def _end(forecast: Forecast) -> timedelta:
    """The latest moment there is anything to show at."""
    times = [time for each in forecast.prospects for time in (*each.promotion, *each.caught) if time]
    if forecast.as_good is not None:
        times += [time for _, found in forecast.as_good.reached for time in found if time]
    return max(times, default=forecast.horizon)


def _head(label: str, *names: str) -> Text:
    cells = "".join(f"{name:>{width}}" for name, width in zip(names, WIDTHS, strict=False))
    return Text(f"{label:<{LABEL + BAR}}{cells}", "bold")


def _ladder(good: Prospect, axis: Axis, signs: Signs) -> Iterator[Text]:
    reached = [*((share, times) for share, times in good.reached if share < FULL), (FULL, good.promotion)]
    for at, (share, times) in enumerate(reached):
        following = reached[at + 1][1] if at + 1 < len(reached) else None
        row = Text(f"{format_percent(share):>{LABEL - 2}}  ")
        row += _stretch(axis, times.median, following, signs)
        yield row + _cells(_spoken(times.median, signs), _spoken(times.most, signs))


def _stretch(axis: Axis, begin: timedelta | None, following: Times | None, signs: Signs) -> Text:
    """From the moment a share is had to the one it is left at; a moment only where nothing follows."""
    if begin is None:
        return Text(" " * (BAR - 1)) + Text(signs.beyond, "yellow")
    start = axis.at(begin)
    if following is None:
        start = min(start, BAR - 1)
        return Text(" " * start) + Text(signs.moment, "green") + Text(" " * (BAR - start - 1))
    return _bar(axis, min(start, BAR - 1), following, signs, "cyan")


def _bar(axis: Axis, start: int, until: Times, signs: Signs, style: str) -> Text:
    sure = BAR if until.median is None else max(axis.at(until.median), start + 1)
    likely = BAR if until.most is None else max(axis.at(until.most), sure)
    bar = Text(" " * start)
    if until.median is None:
        return bar + Text(signs.likely * (BAR - start - 1), "dim") + Text(signs.beyond, "yellow")
    bar += Text(signs.sure * (sure - start), style) + Text(signs.likely * (likely - sure), "dim")
    return bar + Text(" " * (BAR - likely))


def _caught(each: Prospect, axis: Axis, signs: Signs) -> Text:
    median, most = (ceil(n) for n in each.excess)
    row = Text(f"{each.effect * 100:+g} points".ljust(LABEL)) + _bar(axis, 0, each.caught, signs, "red")
    bad = str(median) if median == most else f"{median}..{most}"
    times = (_spoken(each.caught.median, signs), _spoken(each.caught.most, signs))
    return row + _cells(*times, bad, f"{each.rolled_back:.0%}")


def _cells(*values: str) -> Text:
    return Text("".join(f"{value:>{width}}" for value, width in zip(values, WIDTHS, strict=False)))


def _spoken(time: timedelta | None, signs: Signs) -> str:
    return signs.missing if time is None else lasting(time)


def _ruler(axis: Axis, signs: Signs) -> Text:
    minutes = axis.end / timedelta(minutes=1)
    step = next((each for each in STEPS if minutes / each <= MARKS), ceil(minutes / MARKS))
    line, names = [signs.axis] * BAR, [" "] * (BAR + 8)
    for number in range(int(minutes / step) + 1):
        time = timedelta(minutes=step * number)
        column = min(axis.at(time), BAR - 1)
        line[column] = signs.mark
        name = lasting(time) if number else "0"
        names[column : column + len(name)] = name
    return Text(f"{'':{LABEL}}{''.join(line)}\n{'':{LABEL}}{''.join(names).rstrip()}", "dim")
