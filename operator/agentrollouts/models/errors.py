"""What can be wrong with a registry, or keeps a sentinel from its work."""

from __future__ import annotations


class ModelsError(Exception):
    """What was expected, what was seen and what to do; one line a problem. NB: no ValueError, which parsing code catches."""
