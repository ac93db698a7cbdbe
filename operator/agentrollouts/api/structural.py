"""From pydantic's JSON Schema to the structural schemas of Kubernetes.

The API server refuses what JSON Schema has in plenty: ``$ref``, ``const``, ``null`` as a type, tuples, exclusive limits as
numbers. ``StructuralSchema`` leaves out what is known to be wrong while pydantic generates, ``inline`` rewrites the rest.

Two decisions live here, because they are about what the server does with the schema:

- Defaults are materialised by the server, so that ``kubectl get -o yaml`` shows what applies, but never inside a list: tools
  that compare manifests with the cluster treat a list as one value, and a member added to an item would be drift for ever.
  There the default is told in the description. A status has no defaults at all: it reports, it is not completed.
- A value with a ``refusal`` is checked by CEL instead of ``pattern``, because the server answers a wrong pattern with the
  pattern itself, which tells nobody what to write.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from agentrollouts.api.base import REFUSAL

_DROPPED = frozenset({"title", "$defs", "discriminator", "prefixItems", REFUSAL})
_EXCLUSIVE = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


class StructuralSchema(GenerateJsonSchema):
    """pydantic's generator with optional members as absent, never null, and models as default ``{}``."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """An optional member may be left out; ``null`` is no value of it."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """The default as people would write it; none for ``None``."""
        inner = self.generate_inner(schema["schema"])
        factory: Any = schema.get("default_factory")
        default = factory() if factory else schema.get("default")
        if default is None:
            return inner
        return {**inner, "default": {} if isinstance(default, BaseModel) else self.encode_default(default)}


def structural(model: type[BaseModel], *, status: bool = False) -> dict[str, Any]:
    """The structural schema of one model, without references."""
    mode: JsonSchemaMode = "validation"
    schema = model.model_json_schema(by_alias=True, schema_generator=StructuralSchema, mode=mode)
    return inline(schema, schema.get("$defs", {}), defaults=not status, status=status)


def inline(
    node: dict[str, Any], definitions: dict[str, Any], *, defaults: bool, status: bool
) -> dict[str, Any]:
    """One schema node and all below it in structural form."""
    reference = node.get("$ref", "").removeprefix("#/$defs/")
    node = definitions[reference] | {k: v for k, v in node.items() if k != "$ref"} if reference else node
    result = {key: value for key, value in node.items() if key not in _DROPPED}
    if "properties" in node:
        result["properties"] = {
            name: inline(child, definitions, defaults=defaults, status=status)
            for name, child in node["properties"].items()
        }
    if "items" in node:
        result["items"] = inline(node["items"], definitions, defaults=False, status=status)
    result.pop("additionalProperties", None)
    if isinstance(additional := node.get("additionalProperties"), dict):
        result["additionalProperties"] = inline(additional, definitions, defaults=False, status=status)
    if "description" in result:
        result["description"] = " ".join(result["description"].split())
    if "const" in result:
        result["enum"] = [result.pop("const")]
    for key, limit in _EXCLUSIVE.items():
        if key in result:
            result |= {limit: result[key], key: True}
    if REFUSAL in node and not status:
        result = _worded(result, node[REFUSAL])
    return _with_default(result, keep=defaults, tell=not status)


def _worded(schema: dict[str, Any], message: str) -> dict[str, Any]:
    """The schema with its pattern turned into a CEL rule that answers in words."""
    pattern = json.dumps(schema.pop("pattern"))
    by_type = "type(self) == int || string(self)" if schema.get("x-kubernetes-int-or-string") else "self"
    rule = {"rule": f"{by_type}.matches({pattern})", "message": message}
    return schema | {"x-kubernetes-validations": [*schema.get("x-kubernetes-validations", []), rule]}


def _with_default(schema: dict[str, Any], *, keep: bool, tell: bool) -> dict[str, Any]:
    """The schema with its default kept where the server should fill it in, told in words where it shouldn't."""
    default = schema.pop("default", None)
    if default == {} and any("default" in child for child in schema.get("properties", {}).values()):
        return schema | {"default": {}} if keep else schema
    if default is None or default in ("", [], {}):
        return schema
    if keep:
        return schema | {"default": default}
    if tell:
        words = default if isinstance(default, str) else json.dumps(default)
        schema["description"] = f"{schema.get('description', '')} {words} where absent.".strip()
    return schema
