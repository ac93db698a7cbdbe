from __future__ import annotations

from random import Random

import pytest

from agent_load import Truth
from agent_load.plan import LoadPlan
from support_agent.questions import order_in
from support_agent.records import the_shop
from support_agent.reply import Label
from support_agent.validation import expected_label


def test_users_and_records_agree_on_the_right_answer():
    truth, random = Truth(), Random(3)
    labels = set()
    for _ in range(5000):
        question = truth.ask(random)
        order = question.order or order_in(question.text)
        assert expected_label(the_shop(), text=question.text, order=order) == question.expected, question
        labels.add(question.expected)
    assert labels == set(Label.__args__)


def test_users_and_records_know_the_same_orders():
    truth, shop = Truth(), the_shop()
    assert truth.status == {order.id: order.status for order in shop.orders.values()}
    assert truth.refund == {
        order.id: "refunded" if order.refundable else "refund-denied" for order in shop.orders.values()
    }


def test_users_may_ask_about_some_things_only() -> None:
    truth, random = Truth(("refund", "person")), Random(5)
    asked = {truth.ask(random).expected for _ in range(300)}
    assert asked <= {*truth.refund.values(), "escalated"}
    assert "escalated" in asked


def test_kinds_that_nobody_knows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"about must be some of status, refund, .*; got 'weather'"):
        LoadPlan(url="http://x", about=("weather",))
