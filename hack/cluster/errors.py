"""Errors of the cluster commands.

ClusterError                 anything a person can act on; printed without a traceback
├── CommandError            a child process ended with a non-zero code
└── NoProviderError               no way to make a cluster on this machine
"""

from collections.abc import Sequence


class ClusterError(Exception):
    """Says what was expected, what was seen and what to do next."""


class CommandError(ClusterError):
    """A child process failed; `tail` holds the last lines it wrote."""

    def __init__(self, argv: Sequence[str], code: int, tail: str) -> None:
        super().__init__(f"`{' '.join(argv)}` ended with code {code}" + (f":\n{tail}" if tail else ""))
        self.argv = tuple(argv)
        self.code = code
        self.tail = tail


class NoProviderError(ClusterError):
    """Neither a container engine nor the native provider can work here."""
