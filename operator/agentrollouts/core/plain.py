"""Text that others wrote, as it may stand in a line of ours."""

from __future__ import annotations

import unicodedata


def plain(text: str, most: int) -> str:
    """One line of at most ``most`` printable characters: no control, format, surrogate or private-use ones."""
    # NB: format characters include those that turn the direction of writing, and tags that nobody sees.
    kept = (c for c in text[: 4 * most] if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join("".join(kept).split())
    return line if len(line) <= most else line[: most - 1] + "…"
