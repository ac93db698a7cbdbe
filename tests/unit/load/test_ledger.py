from __future__ import annotations

import json
import sys

import pytest

from agent_load import Ledger, Row
from agent_load.ledger import LedgerFullError

ROW = Row(sent=1.5, routed=1.5, first_byte=1.6, done=1.7, user=3, session=9, status=200, version="1.0.0",
          routed_version="1.0.0", cohort="stable", expected="shipped", label="shipped", verdict="right",
          ends_session=True)  # fmt: skip
UNANSWERED = Row(sent=2.0, routed=2.0, done=2.5, user=4, session=10, error="reset")


def test_a_row_comes_back_as_it_went_in():
    ledger = Ledger()
    for row in (ROW, UNANSWERED):
        ledger.append(row)
    assert ledger.row(0) == ROW
    # NaN differs from itself, so compare by what is written out.
    assert [row.to_json() for row in ledger.rows()] == [ROW.to_json(), UNANSWERED.to_json()]
    assert [row.user for row in ledger.rows(1, 99)] == [4]


def test_a_row_survives_json():
    for row in (ROW, UNANSWERED):
        text = json.dumps(row.to_json(), allow_nan=False)
        assert Row.from_json(json.loads(text)).to_json() == row.to_json()


def test_a_full_ledger_says_so():
    ledger = Ledger(capacity=1)
    ledger.append(ROW)
    with pytest.raises(LedgerFullError, match="holds 1 requests"):
        ledger.append(ROW)


def test_a_row_takes_less_than_a_hundred_bytes():
    ledger = Ledger()
    for _ in range(10_000):
        ledger.append(ROW)
    columns = ledger._columns.values()
    assert sum(sys.getsizeof(column) for column in columns) / len(ledger) < 100
