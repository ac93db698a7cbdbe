"""What can be wrong with a release. Each message says what was expected, what was seen and what to do."""

from __future__ import annotations


class ReleaseError(Exception):
    """Anything about a release that can't be used as it is. NB: no ValueError, which parsing code catches."""


class SourceError(ReleaseError):
    """A file of a release directory doesn't say what it should."""


class IntegrityError(ReleaseError):
    """Something stored isn't what its digest, its size or its form says. Never to be retried or worked around."""


class RegistryError(ReleaseError):
    """A registry refused, or couldn't be reached."""
