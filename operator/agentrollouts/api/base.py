"""What every API model shares: camelCase on the wire, closed specs, open statuses, and CEL rules beside the fields they guard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

GROUP = "agentrollouts.io"
API_VERSION = "v1alpha1"


@dataclass(frozen=True, slots=True)
class Rule:
    """One CEL validation rule; ``message`` tells a person what to write instead."""

    rule: str
    message: str
    field_path: str = ""


def rules(*items: Rule, **schema: Any) -> dict[str, Any]:
    """Schema extras for a model: its CEL rules and any other structural-schema keys, in the apiserver's spelling."""
    validations = [
        {"rule": item.rule, "message": item.message}
        | ({"fieldPath": item.field_path} if item.field_path else {})
        for item in items
    ]
    return ({"x-kubernetes-validations": validations} if validations else {}) | schema


REFUSAL = "x-refusal"
"""Schema key: the words with which the server refuses a value that doesn't match its pattern."""


def refusal(message: str) -> dict[str, Any]:
    """Schema extra for a scalar with a pattern: what to write instead."""
    return {REFUSAL: message}


class SpecModel(BaseModel):
    """Part of a spec: unknown fields are refused, so a typing error never becomes a silent default."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


def only_member(model: SpecModel, kinds: tuple[str, ...], *, whose: str) -> tuple[str, SpecModel]:
    """Kind and spec of the one optional member of a model that is set; ``kinds`` are their names on the wire.

    Raises:
        ValueError: there isn't exactly one; ``whose`` begins the sentence.
    """
    given = ((to_camel(field), getattr(model, field)) for field in type(model).model_fields)
    found = [(kind, value) for kind, value in given if kind in kinds and value is not None]
    if len(found) != 1:
        raise ValueError(f"{whose}: expected exactly one of {', '.join(kinds)}; got {len(found)}")
    return found[0]


class StatusModel(BaseModel):
    """Part of a status: unknown fields are dropped, so an older operator can read what a newer one wrote."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True)
