"""Scalars of the API. People write ``5%`` and ``15m``; inside, shares are basis points and durations are timedeltas."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from agentrollouts.api.base import refusal

FULL = 10_000
"""All of the traffic, in basis points."""

_PERCENT = re.compile(r"^([0-9]{1,4})(\.[0-9]{1,2})?%?$")
_DURATION = re.compile(r"^(?=[0-9])(?:(?P<h>[0-9]{1,5})h)?(?:(?P<m>[0-9]{1,5})m)?(?:(?P<s>[0-9]{1,6})s)?$")
MOST_GROWTH = 100_000
"""The largest increase that can be written, in basis points: eleven times as much."""
GROWTH_PATTERN = r"^(1000(\.0{1,2})?|[0-9]{1,3}(\.[0-9]{1,2})?)%?$"
PERCENT_PATTERN = r"^(100(\.0{1,2})?|[0-9]{1,2}(\.[0-9]{1,2})?)%?$"
USD_PATTERN = r"^(0|[1-9][0-9]{0,5})(\.[0-9]{1,6})?$"
NUMBER_PATTERN = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?$"
DURATION_PATTERN = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?$"


def parse_percent(value: object, *, most: int = FULL) -> int:
    """``5``, ``"5"``, ``"5%"`` and ``"0.5%"`` to basis points (500, 500, 500, 50).

    Raises ValueError below 0, above ``most`` basis points, or finer than a basis point.
    """
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not _PERCENT.fullmatch(text):
        raise ValueError(
            f"expected a percentage from 0% to {format_percent(most)} with at most two decimals, such as 5% or 0.5%;"
            f" got {value!r}"
        )
    whole, _, fraction = text.rstrip("%").partition(".")
    basis_points = int(whole) * 100 + int((fraction + "00")[:2])
    if basis_points > most:
        raise ValueError(f"expected at most {format_percent(most)}; got {value!r}")
    return basis_points


def format_percent(basis_points: int) -> str:
    """Basis points as people write them: 500 is ``5%``, 50 is ``0.5%``."""
    whole, fraction = divmod(basis_points, 100)
    return f"{whole}.{fraction:02d}".rstrip("0") + "%" if fraction else f"{whole}%"


def parse_duration(value: object) -> timedelta:
    """``90s``, ``15m``, ``1h30m`` to a timedelta. Raises ValueError on anything else."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a duration such as 90s, 15m or 1h30m; got {value!r}")
    hours, minutes, seconds = (int(match[unit] or 0) for unit in "hms")
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


def format_duration(value: timedelta) -> str:
    """A timedelta as people write it, whole seconds, the largest units first."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{amount}{unit}" for amount, unit in ((hours, "h"), (minutes, "m"), (seconds, "s")) if amount]
    return "".join(parts) or "0s"


def _growth(value: object) -> int:
    return parse_percent(value, most=MOST_GROWTH)


def parse_usd(value: object) -> int:
    """``2``, ``"0.5"`` and ``"0.000001"`` dollars to micro-dollars (2000000, 500000, 1). Raises ValueError on anything else."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not re.fullmatch(USD_PATTERN, text):
        raise ValueError(
            f'expected US dollars with at most six decimals, quoted, such as "0.05"; got {value!r}'
        )
    whole, _, fraction = text.partition(".")
    return int(whole) * 1_000_000 + int((fraction + "000000")[:6])


def format_usd(micros: int) -> str:
    """Micro-dollars as people write them: 50000 is ``0.05``."""
    whole, fraction = divmod(micros, 1_000_000)
    return f"{whole}.{fraction:06d}".rstrip("0") if fraction else str(whole)


def parse_number(value: object) -> Decimal:
    """``2``, ``"-0.5"`` and ``"1250"``, exactly as written. Raises ValueError on anything else, floats included."""
    if isinstance(value, Decimal):
        return value
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if not re.fullmatch(NUMBER_PATTERN, text):
        raise ValueError(
            f'expected a decimal number of at most 15 digits and nine decimals, quoted, such as "0.85"; got {value!r}'
        )
    return Decimal(text)


def format_number(value: Decimal) -> str:
    """A number as people write it, never with an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number_in_cel(expression: str) -> str:
    """CEL for a number, whether it was written as an integer or in quotes."""
    return f"double(string({expression}))"


_SHARE = "(type({0}) == int ? int({0}) * 100 : int(double(string({0}).replace('%', '')) * 100.0 + 0.5))"


def percent_in_cel(expression: str) -> str:
    """CEL for a percentage field in basis points, whether it was written as a number or with a percent sign.

    Whole numbers, because sums and comparisons of fractions go wrong by the last bit.
    """
    return _SHARE.format(expression)


def _utc(value: datetime) -> datetime:
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)


def format_time(value: datetime) -> str:
    """RFC 3339 with microseconds (Kubernetes' MicroTime), always UTC."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_percent_schema: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": PERCENT_PATTERN,
    "maxLength": 8,
    "minimum": 0,
    "maximum": 100,
} | refusal("write a percentage from 0% to 100% with at most two decimals, such as 5% or 0.5%")
_growth_schema: dict[str, Any] = (
    _percent_schema
    | {
        "pattern": GROWTH_PATTERN,
        "maximum": MOST_GROWTH // 100,
    }
    | refusal("write a percentage from 0% to 1000% with at most two decimals, such as 50% or 150%")
)
_usd_schema: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": USD_PATTERN,
    "maxLength": 13,
    "minimum": 0,
    "maximum": 999_999,
} | refusal('write US dollars with at most six decimals, in quotes, such as "0.05"')
_number_schema: dict[str, Any] = {
    "x-kubernetes-int-or-string": True,
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "pattern": NUMBER_PATTERN,
    "maxLength": 26,
    "minimum": -999_999_999_999_999,
    "maximum": 999_999_999_999_999,
} | refusal('write a number with at most 15 digits and nine decimals, in quotes, such as "0.85"')
_duration_schema: dict[str, Any] = {
    "type": "string",
    "pattern": DURATION_PATTERN,
    "minLength": 2,
    "maxLength": 18,
} | refusal("write a duration such as 90s, 15m or 1h30m")
Percent = Annotated[
    int, BeforeValidator(parse_percent), PlainSerializer(format_percent), WithJsonSchema(_percent_schema)
]
Growth = Annotated[
    int, BeforeValidator(_growth), PlainSerializer(format_percent), WithJsonSchema(_growth_schema)
]
"""An increase, which may be more than the whole: 150% is two and a half times as much."""
Usd = Annotated[int, BeforeValidator(parse_usd), PlainSerializer(format_usd), WithJsonSchema(_usd_schema)]
"""Money, in micro-dollars inside."""
Number = Annotated[
    Decimal, BeforeValidator(parse_number), PlainSerializer(format_number), WithJsonSchema(_number_schema)
]
"""A number of any unit and sign, exactly as it was written."""
Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration),
    WithJsonSchema(_duration_schema),
]
Time = Annotated[
    datetime,
    AfterValidator(_utc),
    PlainSerializer(format_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
AgentName = Annotated[
    str,
    Field(
        pattern=r"^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$",
        max_length=40,
        json_schema_extra=refusal(
            "write at most 40 lower-case letters, digits and dashes, a letter first and no dash last, such as support"
        ),
    ),
]
NamespaceName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=63)]
"""A namespace of Kubernetes."""
Semver = Annotated[
    str,
    Field(
        pattern=r"^(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})(-[0-9a-z]([0-9a-z-]*[0-9a-z])?)?$",
        max_length=20,
        json_schema_extra=refusal(
            "write a semantic version such as 1.2.0 or 1.2.0-rc1: three numbers, and after a dash lower-case letters and digits"
        ),
    ),
]
SHORT_DIGEST = 12
"""Hexadecimal digits of a digest where it is compared by eye, and in labels and names."""


def short_digest(digest: str) -> str:
    """A digest as labels and tables have it."""
    return digest.removeprefix("sha256:")[:SHORT_DIGEST]


Digest = Annotated[
    str,
    Field(
        pattern=r"^sha256:[0-9a-f]{64}$",
        max_length=71,
        json_schema_extra=refusal("write a digest as sha256: followed by 64 lower-case hexadecimal digits"),
    ),
]
HttpToken = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
        max_length=128,
        json_schema_extra=refusal(
            "write the name of a header or cookie, without spaces or colons, such as x-user-id"
        ),
    ),
]
GroupName = Annotated[
    str,
    Field(
        pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$",
        max_length=63,
        json_schema_extra=refusal("write lower-case letters, digits and dashes, no dash first or last"),
    ),
]
ShareBps = Annotated[int, Field(ge=0, le=FULL)]
Text = Annotated[str, Field(max_length=4096)]
Name = Annotated[str, Field(max_length=253)]
ReasonText = Annotated[str, Field(max_length=128, pattern=r"^([A-Za-z][A-Za-z0-9]*)?$")]
