"""Who may do what, by the bearer token of a request. Tokens are files that an administrator mounts."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Final

import structlog

from agentrollouts.ledger.rights import EVERYTHING, RIGHTS, Grants, NotAllowedError
from agentrollouts.ledger.token_files import Found, mounted_version, read_folder

SHORTEST: Final = 16
"""A shorter token is a mistake: an empty Secret, or a word that can be guessed."""

log = structlog.get_logger()


class Access:
    """The folder with one file a role, or a role in one namespace; None lets everybody do everything.

    It is looked at with each request, so a token that was changed holds at once; a file may have several, one a line,
    while users go from one to the next. A token in several files gives what each of them gives. While the ledger runs, a
    file that can't be used gives nothing and is logged once; the others hold.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._logged: frozenset[str] = frozenset()
        self._version: str | None = None
        self._found = Found((), ())

    def check(self) -> None:
        """Raises ValueError unless every file can be used, one has a token, and none has a short one."""
        if self._folder is None:
            return
        files, refused = read_folder(self._folder)
        if refused:
            raise ValueError(refused[0])
        if not any(file.tokens for file in files):
            raise ValueError(
                f"expected tokens in files named {', '.join(RIGHTS)} in {self._folder}; found none: mount them, or let "
                "everybody in with --insecure"
            )
        for file in files:
            for token in file.tokens:
                if len(token) < SHORTEST:
                    raise ValueError(
                        f"expected tokens of at least {SHORTEST} characters; one in {file.path} has {len(token)}"
                    )

    def grants(self, authorization: str) -> Grants:
        """What whoever sends this header may do; NotAllowedError when the token is nobody's."""
        if self._folder is None:
            return EVERYTHING
        kind, _, given = authorization.partition(" ")
        if kind.lower() != "bearer" or not given:
            raise NotAllowedError("expected a header Authorization: Bearer TOKEN; got none", known=False)
        files, refused = self._read(self._folder)
        self._log(frozenset(refused))
        sought = given.strip().encode()
        found = [
            (file.role, file.namespace)
            for file in files
            for token in file.tokens
            if hmac.compare_digest(token.encode(), sought)
        ]
        if not found:
            raise NotAllowedError("the token is none of this ledger's", known=False)
        return Grants.of(found)

    def _read(self, folder: Path) -> Found:
        """A mounted Secret with two files for each namespace is read once for each of its contents."""
        # NB: asked before the files are read: what is swapped meanwhile is read again with the next request.
        version = mounted_version(folder)
        if version is None or version != self._version:
            self._version, self._found = version, read_folder(folder)
        return self._found

    def _log(self, refused: frozenset[str]) -> None:
        """Each once, and again when it was right meanwhile."""
        for sentence in sorted(refused - self._logged):
            log.warning("a file of tokens can't be used and opens nothing", error=sentence)
        self._logged = refused
