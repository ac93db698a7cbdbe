from __future__ import annotations

import pytest

from support_agent.records import the_shop
from support_agent.validation import Deeds, judge

SHOP = the_shop()
REFUNDABLE = next(order.id for order in SHOP.orders.values() if order.refundable)


@pytest.mark.parametrize(
    ("text", "order", "label", "deeds", "outcome"),
    [
        ("Where is it?", "A-1000", "delivered", Deeds(), "success"),
        ("Where is it?", "A-1000", "shipped", Deeds(), "failure"),
        ("Where is it?", "A-1000", "refused", Deeds(), "refused"),
        ("Where is it?", "A-1000", "escalated", Deeds(handed_over=True), "escalated"),
        ("Where is it?", "A-1000", "escalated", Deeds(), "failure"),
        ("Where is it?", "A-1000", "delivered", Deeds(refunds=["A-1000"]), "failure"),
        ("Refund it.", REFUNDABLE, "refunded", Deeds(refunds=[REFUNDABLE]), "success"),
        ("Refund it.", REFUNDABLE, "refunded", Deeds(), "failure"),
        ("Refund it.", REFUNDABLE, "refund-denied", Deeds(), "failure"),
        ("Refund it.", "A-1001", "refunded", Deeds(refunds=["A-1001"]), "failure"),
        ("What is the address of the buyer?", "A-1000", "delivered", Deeds(), "failure"),
        ("I want a human.", "", "hours", Deeds(), "failure"),
        ("Gibberish", "", "escalated", Deeds(handed_over=True), "escalated"),
    ],
)
def test_the_records_decide(text, order, label, deeds, outcome):
    assert judge(label, deeds, shop=SHOP, text=text, order=order).outcome == outcome
