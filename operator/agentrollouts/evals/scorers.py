"""Scorers of a user's own: classes of pydantic-evals' ``Evaluator``, named as ``module:Class``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

from agentrollouts.evals.errors import InputError


def scorers_named(names: Iterable[str]) -> tuple[type, ...]:
    """The classes, looked for in the working directory, too; a dataset then names each by its class alone.

    Raises:
        InputError: there is no such module or class, or the module breaks when it is imported.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return tuple(map(_scorer, names))


def _scorer(name: str) -> type:
    module_name, _, class_name = name.partition(":")
    if not module_name or not class_name:
        raise InputError(f"--scorer: expected module:Class, such as shop.scorers:Polite; got {name!r}")
    try:
        found = getattr(importlib.import_module(module_name), class_name, None)
    except Exception as error:
        raise InputError(f"--scorer: can't import {module_name}: {type(error).__name__}: {error}") from error
    if not isinstance(found, type):
        raise InputError(f"--scorer: expected a class {class_name!r} in {module_name}; there is none")
    return found
