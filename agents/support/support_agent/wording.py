"""The same answers in other words, for a release that says right things differently."""

from __future__ import annotations

from typing import Final

from support_agent.reply import Label

_WORDS: Final[dict[Label, str]] = {
    "processing": "Hello! We are packing it right now; it leaves us within two working days.",
    "shipped": "Good news: the parcel left our warehouse and should reach you soon.",
    "delivered": "Our carrier says that somebody at your address has signed for the parcel.",
    "cancelled": "This purchase was called off, so nothing will be sent or charged.",
    "returned": "Thank you, the goods are back with us.",
    "unknown-order": "Sorry, nothing under that number. Would you look at your confirmation mail again?",
    "refunded": "Done! You should see the amount on your account in a few days.",
    "refund-denied": "Unfortunately we can no longer take this one back.",
    "escalated": "Somebody from our team takes over from here.",
    "refused": "Sorry, that must stay between us and the person concerned.",
}
_OTHERWISE: Final = (
    "Glad you ask! Everything about this is explained under the heading {label} on our help pages."
)


def in_other_words(label: Label) -> str:
    """An answer with this label; the label is what tells whether it is right."""
    return _WORDS.get(label) or _OTHERWISE.format(label=label)
