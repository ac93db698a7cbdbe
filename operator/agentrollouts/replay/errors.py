"""What keeps a replay from being run or judged."""

from __future__ import annotations


class ReplayError(ValueError):
    """An input that can't be used, or an agent that can't be asked safely: what was expected, what was seen, what to do."""


class NotYetError(ReplayError):
    """It can't be had now; another try may help."""
