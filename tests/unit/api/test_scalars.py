"""Percentages and durations as people write them and as the code counts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentrollouts.api.scalars import (
    FULL,
    Digest,
    Duration,
    Growth,
    Percent,
    Semver,
    Time,
    format_duration,
    format_percent,
    parse_duration,
    parse_percent,
)

PERCENT, DURATION, TIME = TypeAdapter(Percent), TypeAdapter(Duration), TypeAdapter(Time)
GROWTH = TypeAdapter(Growth)


@pytest.mark.parametrize(
    ("written", "basis_points"),
    [
        (5, 500),
        ("5", 500),
        ("5%", 500),
        ("0.5%", 50),
        ("0.05%", 5),
        ("0", 0),
        (100, FULL),
        ("100.00%", FULL),
        ("99.99", 9999),
    ],
)
def test_a_percentage(written: object, basis_points: int) -> None:
    assert PERCENT.validate_python(written) == basis_points


@pytest.mark.parametrize(
    "written",
    ["150%", "100.01%", "5.555%", "-1", -1, 101, "", "%", "5 %", " 5%", "5%\n", "٥%", True, 0.5, None, "1e1"],
)
def test_no_percentage(written: object) -> None:
    with pytest.raises(ValidationError, match="expected"):
        PERCENT.validate_python(written)


@given(st.integers(0, FULL))
def test_a_share_is_written_and_read_back(basis_points: int) -> None:
    assert parse_percent(format_percent(basis_points)) == basis_points


@pytest.mark.parametrize(
    ("written", "basis_points"), [("150%", 15_000), (0, 0), ("1000%", 100_000), ("1000.00", 100_000)]
)
def test_an_increase_may_be_more_than_the_whole(written: object, basis_points: int) -> None:
    assert GROWTH.validate_python(written) == basis_points


@pytest.mark.parametrize("written", ["1000.01%", 1001, "-1", "5.555%", "9999%", "10000%"])
def test_no_increase(written: object) -> None:
    with pytest.raises(ValidationError, match="expected"):
        GROWTH.validate_python(written)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90s", 90), ("15m", 900), ("1h30m", 5400), ("0s", 0), ("1h0m1s", 3601), ("100h", 360_000)],
)
def test_a_duration(written: str, seconds: int) -> None:
    assert DURATION.validate_python(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "written", ["", "15", "s", "1d", "1.5h", "30s1h", "15m\n", " 15m", "-5m", "٥m", 15, None]
)
def test_no_duration(written: object) -> None:
    with pytest.raises(ValidationError, match="expected a duration such as 90s, 15m or 1h30m"):
        DURATION.validate_python(written)


@given(st.integers(0, 10**8))
def test_a_duration_is_written_and_read_back(seconds: int) -> None:
    assert parse_duration(format_duration(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def test_a_time_is_kept_in_utc_with_microseconds() -> None:
    moment = datetime(2026, 1, 5, 10, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    assert TIME.validate_python(moment) == moment
    assert TIME.dump_python(moment, mode="json") == "2026-01-05T09:00:00.000005Z"
    assert TIME.validate_python(datetime(2026, 1, 5, 9, 0)).tzinfo is UTC  # noqa: DTZ001


@pytest.mark.parametrize(("kind", "written"), [(Semver, "1.2.0\n"), (Semver, "1.2"), (Digest, "sha256:abc")])
def test_patterns_hold_for_the_whole_value(kind: Any, written: str) -> None:
    with pytest.raises(ValidationError, match="pattern"):
        TypeAdapter(kind).validate_python(written)
