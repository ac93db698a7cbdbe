"""Cursors: the place in the list after which the next page begins, as a caller hands it back."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

from agentrollouts.ledger.names import DNS_LABEL

_PLACE = re.compile(rf"(-?\d{{1,18}})\.([0-9a-f]{{32}})\.({DNS_LABEL.pattern})")


class Place(NamedTuple):
    """A task by what the list is sorted by. None of it changes, so a page is never shifted by what is added meanwhile."""

    finished: int
    id: str
    namespace: str


def to_cursor(place: Place) -> str:
    """The place as a cursor."""
    return base64.urlsafe_b64encode(".".join(map(str, place)).encode()).decode().rstrip("=")


def from_cursor(cursor: str) -> Place:
    """The place of a cursor.

    Raises:
        ValueError: it is none of ours.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError(_expected(cursor)) from error
    found = _PLACE.fullmatch(text)
    if found is None:
        raise ValueError(_expected(cursor))
    return Place(int(found[1]), found[2], found[3])


def _expected(cursor: str) -> str:
    return f"expected the `next` of the page before as cursor; got {cursor[:80]!r}: begin anew without one"
