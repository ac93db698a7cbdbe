"""A token or a key in a file: its first word."""

from __future__ import annotations

from pathlib import Path


class NoTokenError(ValueError):
    """The file can't be read, or has no word."""


def token_in(path: str) -> str:
    """The token. Raises NoTokenError."""
    try:
        return Path(path).read_text(encoding="utf-8").split()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise NoTokenError(f"expected a token in {path}; there is none that can be read") from error
