"""What entries of ``spec.beforeTraffic`` are written with, whatever their kind."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from agentrollouts.api.base import SpecModel, refusal

_PATH = r"^/[A-Za-z0-9._~/-]*$"
_OBJECT = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

ObjectName = Annotated[
    str,
    Field(
        pattern=_OBJECT,
        max_length=253,
        json_schema_extra=refusal(
            "write an object's name: lower-case letters, digits, dots and dashes, such as support-evals"
        ),
    ),
]
ConfigKey = Annotated[
    str,
    Field(
        pattern=r"^[-._a-zA-Z0-9]*[a-zA-Z0-9]$",
        max_length=253,
        json_schema_extra=refusal(
            "write a ConfigMap's key: letters, digits, dots and dashes, such as golden.yaml"
        ),
    ),
]
HttpPath = Annotated[
    str,
    Field(
        pattern=_PATH,
        max_length=256,
        json_schema_extra=refusal("write a path that begins with a slash, such as /v1/tasks"),
    ),
]
Quantities = Annotated[
    dict[str, str | int],
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 8,
            "additionalProperties": {
                "x-kubernetes-int-or-string": True,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
                "maxLength": 32,
            },
        }
    ),
]


class ConfigMapKey(SpecModel):
    """One key of a ConfigMap in the Rollout's namespace."""

    config_map: ObjectName = Field(description="The ConfigMap's name, in the Rollout's namespace.")
    key: ConfigKey = Field(description="The key whose value is read.")


class SigningSpec(SpecModel):
    """The private key with which a Job signs its statement, in a Secret of the Rollout's namespace."""

    secret: ObjectName = Field(description="The Secret's name, in the Rollout's namespace.")
    key: ConfigKey = Field(
        default="release.pem",
        description="The Secret's entry: an Ed25519 private key as PEM, without a password, as `openssl genpkey` makes it.",
    )


class Resources(SpecModel):
    """What the Job's container asks for and may use, as in a Pod."""

    requests: Quantities = Field(default_factory=dict, description="Quantities by resource.")
    limits: Quantities = Field(default_factory=dict, description="Quantities by resource.")
