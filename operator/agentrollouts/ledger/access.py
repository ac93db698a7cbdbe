"""Who may do what, by the bearer token of a request. Tokens are files that an administrator mounts."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

SHORTEST: Final = 16
"""A shorter token is a mistake: an empty Secret, or a word that can be guessed."""


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
ALL: Final = frozenset(Right)


class NotAllowedError(Exception):
    """The request has no token, or one without the right; ``known``: the token is somebody's."""

    def __init__(self, sentence: str, *, known: bool) -> None:
        super().__init__(sentence)
        self.known = known


@dataclass(frozen=True, slots=True)
class Access:
    """The folder with one file a role; None lets everybody do everything.

    A file is read at each request, so a token that was changed holds at once; it may have several, one a line, while
    users go from one to the next.
    """

    folder: Path | None

    def check(self) -> None:
        """Raises ValueError unless there is a role that has a token, and none has a short one."""
        if self.folder is None:
            return
        found = [(role, token) for role in RIGHTS for token in _tokens(self.folder / role)]
        if not found:
            raise ValueError(
                f"expected tokens in files named {', '.join(RIGHTS)} in {self.folder}; found none: mount them, or let "
                "everybody in with --insecure"
            )
        for role, token in found:
            if len(token) < SHORTEST:
                raise ValueError(
                    f"expected tokens of at least {SHORTEST} characters; one in {self.folder / role} has {len(token)}"
                )

    def rights(self, authorization: str) -> frozenset[Right]:
        """The rights of whoever sends this header; NotAllowedError when the token is nobody's."""
        if self.folder is None:
            return ALL
        kind, _, given = authorization.partition(" ")
        if kind.lower() != "bearer" or not given:
            raise NotAllowedError("expected a header Authorization: Bearer TOKEN; got none", known=False)
        found: frozenset[Right] = frozenset()
        for role, rights in RIGHTS.items():
            for token in _tokens(self.folder / role):
                if hmac.compare_digest(token.encode(), given.strip().encode()):
                    found |= rights
        if not found:
            raise NotAllowedError("the token is none of this ledger's", known=False)
        return found


def _tokens(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except FileNotFoundError:
        return []
