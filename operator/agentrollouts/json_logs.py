"""Logs as JSON lines, for programs that have no logging of others to bring into line as the operator has (runtime/logs.py)."""

from __future__ import annotations

import structlog


def log_as_json() -> None:
    """Every event of this process is one line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )
