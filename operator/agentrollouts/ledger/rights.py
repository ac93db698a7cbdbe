"""What a token lets its bearer do, and in which namespaces. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Namespaces = frozenset[str] | None
"""None: every namespace."""
NOWHERE: Final[frozenset[str]] = frozenset()


class Right(StrEnum):
    """What a request may do."""

    WRITE_TASKS = "write tasks"
    READ_TASKS = "read tasks"
    READ_HOLDOUTS = "read held-out tasks"
    WRITE_EVIDENCE = "write evidence"
    READ_EVIDENCE = "read evidence"


RIGHTS: Final[Mapping[str, frozenset[Right]]] = {
    "agent": frozenset({Right.WRITE_TASKS}),
    "reader": frozenset({Right.READ_TASKS, Right.READ_HOLDOUTS, Right.READ_EVIDENCE}),
    "improver": frozenset({Right.READ_TASKS}),
    "operator": frozenset({Right.READ_TASKS, Right.READ_HOLDOUTS, Right.READ_EVIDENCE, Right.WRITE_EVIDENCE}),
}
"""Roles by the name of their file. The improver sees no evidence: a bundle may hold tasks that are held out."""
EVERYWHERE_ONLY: Final = frozenset({"operator"})
"""Roles that can't be narrowed to a namespace: one operator keeps the evidence of all of them."""


class NotAllowedError(Exception):
    """The request has no token, or one without the right; ``known``: the token is somebody's."""

    def __init__(self, sentence: str, *, known: bool) -> None:
        super().__init__(sentence)
        self.known = known


@dataclass(frozen=True, slots=True)
class Sight:
    """Which tasks a request may see: those of ``namespaces``, held-out ones only of ``holdouts``."""

    namespaces: Namespaces = None
    holdouts: Namespaces = None


FULL_SIGHT: Final = Sight()


@dataclass(frozen=True, slots=True)
class Grants:
    """The namespaces in which a token gives each right; a right that is missing is given nowhere."""

    where: Mapping[Right, Namespaces]

    @classmethod
    def of(cls, files: Iterable[tuple[str, str | None]]) -> Grants:
        """What a token gives that is in the files of these roles and namespaces, None being every one: all that each gives."""
        where: dict[Right, Namespaces] = {}
        for role, namespace in files:
            for right in RIGHTS[role]:
                known = where.get(right, NOWHERE)
                where[right] = None if namespace is None or known is None else known | {namespace}
        return cls(where)

    @property
    def sight(self) -> Sight:
        """Which tasks may be seen."""
        return Sight(
            namespaces=self.where.get(Right.READ_TASKS, NOWHERE),
            holdouts=self.where.get(Right.READ_HOLDOUTS, NOWHERE),
        )

    def namespaces(self, right: Right) -> Namespaces:
        """Where the token gives this right. NotAllowedError: nowhere."""
        found = self.where.get(right, NOWHERE)
        if found is not None and not found:
            raise NotAllowedError(f"this token may not {right}", known=True)
        return found

    def demand(self, right: Right, namespace: str | None) -> None:
        """Raises NotAllowedError unless the right is given there; None: in every namespace at once."""
        opened = self.namespaces(right)
        if opened is None or namespace in opened:
            return
        seen = (
            f"got no namespace: add namespace={min(opened)}"
            if namespace is None
            else f"got {namespace[:80]!r}: send a token that opens it"
        )
        told = f"this token may {right} of {' or '.join(sorted(opened))}, one namespace in a request"
        raise NotAllowedError(f"{told}; {seen}", known=True)


EVERYTHING: Final = Grants(dict.fromkeys(Right))
"""Every right in every namespace."""
