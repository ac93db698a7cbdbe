"""The CustomResourceDefinitions, written from the models: ``python -m agentrollouts.api.crd [--check] [FOLDER]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from agentrollouts.api.base import API_VERSION, GROUP, rules
from agentrollouts.api.kinds import KINDS, Column, Kind
from agentrollouts.api.structural import structural

HEADER = "# Written by `make crds` from operator/agentrollouts/api; change the models, not this file.\n"


def crd(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": ["agents"],
            },
            "versions": [_version(kind)],
        },
    }


def _version(kind: Kind) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": API_VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _object_schema(kind)},
        "additionalPrinterColumns": [_column(column) for column in kind.columns],
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    if subresources := _subresources(kind):
        version["subresources"] = subresources
    return version


def _object_schema(kind: Kind) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "apiVersion": {"type": "string", "description": f"{GROUP}/{API_VERSION}", "maxLength": 64},
        "kind": {"type": "string", "description": kind.kind, "maxLength": 64},
        "metadata": {"type": "object"},
        "spec": structural(kind.spec),
    }
    if kind.status is not None:
        properties["status"] = structural(kind.status, status=True)
    return {
        "type": "object",
        "description": kind.description,
        "required": ["spec"],
        "properties": properties,
    } | rules(*kind.object_rules)


def _column(column: Column) -> dict[str, Any]:
    shown = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        shown["description"] = column.description
    return shown | ({"priority": column.priority} if column.priority else {})


def _subresources(kind: Kind) -> dict[str, Any]:
    result: dict[str, Any] = {"status": {}} if kind.status is not None else {}
    if kind.scale is not None:
        replicas, observed, selector = kind.scale
        result["scale"] = {
            "specReplicasPath": replicas,
            "statusReplicasPath": observed,
            "labelSelectorPath": selector,
        }
    return result


class _Dumper(yaml.SafeDumper):
    """Repeats equal parts in full: anchors would make the files hard to read and to compare."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class names it
        return True


@cache
def documents() -> Mapping[str, str]:
    """File name to YAML, for every kind."""
    return {
        f"{kind.plural}.{GROUP}.yaml": HEADER
        + yaml.dump(crd(kind), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
        for kind in KINDS
    }


def outdated(folder: Path) -> list[str]:
    """Names of the files in ``folder`` that are missing or differ from the models."""
    return [
        name
        for name, text in documents().items()
        if not (folder / name).is_file() or (folder / name).read_text() != text
    ]


def write(folder: Path) -> None:
    """Writes all definitions into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (folder / name).write_text(text)


def main(arguments: list[str] | None = None) -> int:
    """The command; exit status 1 when ``--check`` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m agentrollouts.api.crd", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("crds"))
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a file differs from the models"
    )
    options = parser.parse_args(arguments)
    if not options.check:
        write(options.folder)
        return 0
    stale = outdated(options.folder)
    if stale:
        print(
            f"{', '.join(stale)} in {options.folder} differ from the models; run `make crds`", file=sys.stderr
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
