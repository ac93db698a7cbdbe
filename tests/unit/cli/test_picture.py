"""The picture of a forecast: bars end where the numbers say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from agentrollouts.cli.picture import ASCII, BAR, LABEL, UNICODE, Signs, picture
from agentrollouts.planning.forecast import Forecast, Prospect, Times
from agentrollouts.planning.world import World


def minutes(*found: int | None) -> Times:
    return Times(*(None if each is None else timedelta(minutes=each) for each in found))


def prospect(effect: float, **fields: Any) -> Prospect:
    never = minutes(None, None)
    defaults: dict[str, Any] = {
        "runs": 10,
        "promoted": 0.0,
        "rolled_back": 0.0,
        "paused": 0.0,
        "unfinished": 0.0,
        "promotion": never,
        "caught": never,
        "excess": (0.0, 0.0),
        "reached": (),
        "waited": {},
        "held_by": {},
        "endings": {},
        "sentence": "",
    }
    return Prospect(effect=effect, **{**defaults, **fields})


GOOD = prospect(
    0.0,
    promotion=minutes(240, 360),
    reached=((500, minutes(0, 0)), (5000, minutes(60, 180)), (10_000, minutes(240, 360))),
)
QUICK = prospect(-0.3, caught=minutes(30, 90), excess=(3.2, 9.0), rolled_back=1.0)
SELDOM = prospect(-0.05, caught=minutes(None, None), excess=(7.0, 7.0), rolled_back=0.25)


def drawn(*prospects: Prospect, signs: Signs = ASCII) -> dict[str, str]:
    found = Forecast(World(1.0), timedelta(days=7), prospects)
    lines = [line for text in picture(found, signs) for line in text.plain.split("\n")]
    assert max(map(len, lines)) <= 80
    return {line[:LABEL].strip(): line[LABEL:] for line in lines if line[:LABEL].strip()}


def test_a_share_lasts_until_the_next_one_is_had() -> None:
    rows = drawn(GOOD, QUICK)
    assert rows["5%"][:BAR] == "#" * 6 + ":" * 12 + " " * 18
    assert rows["50%"][:BAR] == " " * 6 + "#" * 18 + ":" * 12
    assert rows["100%"][:BAR] == " " * 24 + "o" + " " * 11
    assert rows["100%"][BAR:].split() == ["4h", "6h"]


def test_a_regression_lasts_until_it_is_caught() -> None:
    rows = drawn(GOOD, QUICK)
    assert rows["-30 points"][:BAR] == "#" * 3 + ":" * 6 + " " * 27
    assert rows["-30 points"][BAR:].split() == ["30m", "1h30m", "4..9", "100%"]


def test_what_isnt_there_within_the_horizon_points_beyond() -> None:
    rows = drawn(prospect(0.0, reached=((500, minutes(0, 0)),)), QUICK, SELDOM)
    assert rows["-5 points"][:BAR] == ":" * 35 + ">"
    assert rows["-5 points"][BAR:].split() == ["-", "-", "7", "25%"]
    assert rows["100%"][:BAR].strip() == ">"


@pytest.mark.parametrize("signs", [ASCII, UNICODE])
def test_the_worst_comes_first_and_all_fits(signs: Signs) -> None:
    rows = drawn(GOOD, SELDOM, QUICK, signs=signs)
    assert list(rows) == ["share", "5%", "50%", "100%", "candidate", "-30 points", "-5 points"]


def test_ascii_is_ascii() -> None:
    assert all(line.isascii() for line in drawn(GOOD, QUICK, SELDOM).values())
