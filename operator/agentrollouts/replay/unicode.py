"""Text that can be written down: JSON can name half of a surrogate pair, which is no character and which no file takes."""

from __future__ import annotations

import json
from typing import Any


def written_down(value: Any) -> Any:
    """A JSON value with a question mark for each half of a pair."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-8", "replace"))
    return value
