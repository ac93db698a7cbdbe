"""Settings of the ledger from flags and the environment; every one has a default that is right in the chart's pod."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy.engine import URL

from agentrollouts.api.scalars import parse_duration, parse_percent
from agentrollouts.ledger.access import Access
from agentrollouts.ledger.database import parse_url
from agentrollouts.ledger.redaction import PATTERNS, Redact, load_hook
from agentrollouts.ledger.retention import Retention

PREFIX = "AGENT_ROLLOUTS_LEDGER_"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``holdout`` in basis points; ``redaction`` is applied to every string in this order."""

    database: URL
    host: str
    port: int
    access: Access
    retention: Retention
    redaction: tuple[Redact, ...]
    holdout: int


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from a command line. Each flag's default is the variable AGENT_ROLLOUTS_LEDGER_<FLAG>, if it is set.

    Raises:
        ValueError: one can't be used; it says what was expected, what was given and what to do.
    """
    parser = argparse.ArgumentParser(prog="python -m agentrollouts.ledger", description="The task ledger.")

    def flag(name: str, default: str, text: str) -> None:
        variable = PREFIX + name.upper().replace("-", "_")
        parser.add_argument(
            f"--{name}", default=environment.get(variable, default), help=f"{text} (${variable})"
        )

    flag("host", "0.0.0.0", "address to listen on")  # noqa: S104  for the whole cluster
    flag("port", "8090", "port to listen on")
    flag(
        "tokens",
        "",
        "folder with a file of tokens for each role: agent, reader, improver, operator; reader.shop opens one namespace",
    )
    flag("max-age", "30d", "how long a task is kept, such as 30d or 12h")
    flag("max-tasks", "20000", "how many tasks of one agent are kept")
    flag("redact", "", f"patterns that are taken out, separated by commas: {', '.join(PATTERNS)}")
    flag("redaction-hook", "", "module:function that is given each string and answers what may be stored")
    flag("holdout", "0%", "share of the tasks that the improver's token doesn't see")
    parser.add_argument("--insecure", action="store_true", help="let everybody do everything, without tokens")
    given = parser.parse_args(list(arguments))
    # NB: never a flag: every process of the machine can read those, and it may hold a password.
    database = environment.get(f"{PREFIX}DATABASE_URL") or "sqlite:////var/lib/agent-rollouts/ledger.db"
    return Settings(
        database=parse_url(database),
        host=given.host,
        port=_number("--port", given.port, least=0, most=65_535),
        access=_access(given.tokens, insecure=given.insecure),
        retention=Retention(
            age=_age(given.max_age), per_agent=_number("--max-tasks", given.max_tasks, least=1, most=10**9)
        ),
        redaction=_redaction(given.redact, given.redaction_hook),
        holdout=_share(given.holdout),
    )


def _access(tokens: str, *, insecure: bool) -> Access:
    if bool(tokens) == insecure:
        raise ValueError(
            "expected either --tokens with the folder that has them or --insecure, which lets everybody read and write "
            f"everything; got {'both' if insecure else 'neither'}"
        )
    access = Access(Path(tokens) if tokens else None)
    access.check()
    return access


def _age(text: str) -> timedelta:
    days = text.removesuffix("d")
    age = _DAY * int(days) if days != text and days.isdecimal() and len(days) < 6 else _duration(text)
    if age <= timedelta(0):
        raise ValueError(f"expected more than nothing for --max-age; got {text!r}")
    return age


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(
            f"expected days or a duration for --max-age, such as 30d or 12h; got {text!r}"
        ) from error


def _share(text: str) -> int:
    try:
        return parse_percent(text)
    except ValueError as error:
        raise ValueError(f"--holdout: {error}") from error


def _redaction(patterns: str, hook: str) -> tuple[Redact, ...]:
    names = {part.strip() for part in patterns.split(",") if part.strip()}
    if unknown := sorted(names - set(PATTERNS)):
        raise ValueError(f"expected some of {', '.join(PATTERNS)} for --redact; got {', '.join(unknown)}")
    chosen = tuple(redact for name, redact in PATTERNS.items() if name in names)
    return (*chosen, load_hook(hook)) if hook else chosen


def _number(name: str, text: str, *, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"expected a whole number from {least} to {most} for {name}; got {text!r}")
    return int(text)
