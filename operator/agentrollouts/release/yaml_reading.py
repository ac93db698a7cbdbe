"""YAML as it has to be read where every byte counts: nothing twice, nothing shared, nothing guessed."""

from __future__ import annotations

from typing import Any

import yaml


class YamlError(ValueError):
    """A text that isn't one document of plain YAML; the message begins with the line."""


class _Loader(yaml.SafeLoader):
    """Refuses what parsers read differently; times stay the strings they are."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """NB: an alias in an alias in an alias is a gigabyte once it is written out."""
        if self.check_event(yaml.AliasEvent):
            raise YamlError(f"line {self.line + 1}: write the value out; aliases (*name) aren't read")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping in which no key comes twice."""
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            keys = [self.construct_object(key) for key, _ in node.value]
            twice = next(key for number, key in enumerate(keys) if key in keys[:number])
            raise YamlError(
                f"line {node.start_mark.line + 1}: the key {twice!r} is given twice in one mapping; keep one"
            )
        return mapping


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in found
        if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge")
    ]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str) -> Any:
    """The one document of a text. Raises YamlError with the line."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise YamlError(f"{line}expected YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise YamlError(f"expected YAML: {error}") from error
    except RecursionError as error:
        raise YamlError("expected fewer levels of nesting") from error
