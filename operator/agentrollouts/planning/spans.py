"""Lengths of time as a plan says them."""

from __future__ import annotations

from datetime import timedelta

from agentrollouts.api.scalars import format_duration

DAY = timedelta(days=1)


def lasting(value: timedelta) -> str:
    """Two units at most: 40s, 12m, 3h20m, 2d5h, 40d."""
    seconds = round(value.total_seconds())
    if seconds < 60:
        return f"{seconds}s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return format_duration(timedelta(minutes=minutes))
    days, hours = divmod(round(minutes / 60), 24)
    return f"{days}d{hours}h" if hours and days < 10 else f"{days}d"
