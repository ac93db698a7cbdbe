"""Recorded looks lead to the decisions they led to: shares, decisions, reasons, verdicts and every number that is told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.corpus.cases import NAMES, decided, expected

NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def told(case: dict[str, Any]) -> list[dict[str, Any]]:
    return [look | {"message": NUMBER.findall(look["message"])} for look in case["looks"]]


def test_the_corpus_is_there() -> None:
    assert len(NAMES) >= 6
    outcomes = {expected(name)["outcome"] for name in NAMES}
    assert outcomes == {"Promoted", "RolledBack", "Paused", "Unfinished"}


@pytest.mark.parametrize("name", NAMES)
def test_the_same_looks_lead_to_the_same_decisions(name: str) -> None:
    now, then = decided(name), expected(name)
    assert now["outcome"] == then["outcome"]
    assert told(now) == told(then)
