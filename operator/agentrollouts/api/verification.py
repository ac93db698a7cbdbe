"""Whose word a release needs before any of its pods starts.

It is part of the Rollout and not of the AgentVersion: whoever proposes a version, which may be an agent, mustn't choose who vouches for it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from agentrollouts.api.base import Rule, SpecModel, refusal, rules

Claim = Literal["build", "eval", "replay", "approval"]
"""What a statement vouches for."""
KeyName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        max_length=63,
        json_schema_extra=refusal(
            "write lower-case letters, digits and dashes, no dash first or last, such as ci"
        ),
    ),
]
# Of an Ed25519 key everything but its 32 bytes is the same, so another kind of key is refused when it is written down.
PublicKey = Annotated[
    str,
    Field(
        pattern=r"^-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=\n-----END PUBLIC KEY-----\n?$",
        max_length=128,
        json_schema_extra=refusal("write an Ed25519 public key as PEM, as openssl pkey -pubout prints it"),
    ),
]
Claims = Annotated[
    tuple[Claim, ...], Field(max_length=4, json_schema_extra={"x-kubernetes-list-type": "set"})
]


class VerificationKey(SpecModel):
    """A public key, and what its owner's word counts for."""

    name: KeyName = Field(description="What the key is called in messages, unique in this Rollout.")
    public_key: PublicKey = Field(description="Ed25519 public key as PEM. It is no secret.")
    claims: Claims = Field(default=(), description="What it may vouch for; empty for everything.")


class Verify(SpecModel):
    """Each claim needs a statement about exactly this artifact, agent and version, signed with one of the keys."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "self.require.all(claim, self.keys.exists(key, !has(key.claims) || size(key.claims) == 0"
                " || claim in key.claims))",
                "each claim in require needs a key that may vouch for it, or no version could ever start",
            ),
        )
    )

    keys: Annotated[
        tuple[VerificationKey, ...],
        Field(
            min_length=1,
            max_length=8,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(description="Whose signatures count.")
    require: Annotated[
        tuple[Claim, ...],
        Field(min_length=1, max_length=4, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ] = Field(
        default=("build",), description="What has to be vouched for before a pod of the version starts."
    )


class ReleasePolicy(SpecModel):
    """What a release must bring to be started at all."""

    verify: Verify | None = Field(
        default=None, description="Signed statements it needs. Without it nothing is asked for."
    )
