"""The folder of tokens: a file for each role, and for each role in one namespace, such as `reader.shop`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from agentrollouts.ledger.names import DNS_LABEL
from agentrollouts.ledger.rights import EVERYWHERE_ONLY, RIGHTS


class TokenFile(NamedTuple):
    """Whose tokens a file has; ``namespace`` None: of the role in every namespace."""

    path: Path
    role: str
    namespace: str | None
    tokens: tuple[str, ...]


class Found(NamedTuple):
    """What is in the folder; ``refused`` has a sentence for each file that should have tokens and gives none."""

    files: tuple[TokenFile, ...]
    refused: tuple[str, ...]


def mounted_version(folder: Path) -> str | None:
    """Which content of a mounted Secret is there: Kubernetes never changes one, it links to another. None: a folder of another kind."""
    try:
        return os.readlink(folder / "..data")
    except OSError:
        return None


def read_folder(folder: Path) -> Found:
    """Every file that is named for a role; others, such as the hidden ones of a mounted Secret, are none of ours."""
    files: list[TokenFile] = []
    refused: list[str] = []
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        return Found((), (_unreadable(folder, error),))
    for path in (folder / name for name in names):
        role, dot, namespace = path.name.partition(".")
        if role not in RIGHTS:
            continue
        try:
            if dot:
                _check(path, role, namespace)
            files.append(TokenFile(path, role, namespace if dot else None, _tokens(path)))
        except ValueError as error:
            refused.append(str(error))
    return Found(tuple(files), tuple(refused))


def _check(path: Path, role: str, namespace: str) -> None:
    if role in EVERYWHERE_ONLY:
        raise ValueError(
            f"expected the tokens of the {role} in a file named {role}, since they hold in every namespace; "
            f"got {str(path)!r}: rename it or take it away"
        )
    if not DNS_LABEL.fullmatch(namespace):
        raise ValueError(
            f"expected a role's name, or one with the name of a namespace, such as {role}.shop, and a namespace has lower-case "
            f"letters, digits and dashes but no dots; got {str(path)!r}: rename it or take it away"
        )


def _tokens(path: Path) -> tuple[str, ...]:
    try:
        return tuple(path.read_text().split())
    except FileNotFoundError:
        # NB: a mounted Secret may change between the listing and here.
        return ()
    except (OSError, UnicodeError) as error:
        raise ValueError(_unreadable(path, error)) from error


def _unreadable(path: Path, error: OSError | UnicodeError) -> str:
    """Without a byte of what is in the file."""
    why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
    return f"expected tokens that can be read; got {str(path)!r}: {why}"
