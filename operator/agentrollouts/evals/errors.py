"""What is wrong with an input."""

from __future__ import annotations


class InputError(ValueError):
    """A file or an option that can't be used: what was expected, what was seen, what to do."""
