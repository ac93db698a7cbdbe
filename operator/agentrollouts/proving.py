"""How a Job before traffic ends, whatever it proves: with its word in the termination message, and the exit status that goes with it.

The operator reads the message; everything else goes to the log.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from agentrollouts.api.before_traffic import ProofSummary
from agentrollouts.core.proof_summary import body_of, clipped

TERMINATION_LOG = "/dev/termination-log"
STATUS: Mapping[str, int] = {"PASS": 0, "FAIL": 1, "INVALID": 2}
"""Verdict to exit status, as ``eval gate`` has them."""
STOPPED = 128 + signal.SIGTERM
"""Exit status where it was told to stop: no verdict, so a Job whose pod is evicted or deleted makes another one."""

Found = TypeVar("Found")
Stated = Callable[[Mapping[str, Any]], bytes]
"""From a predicate to a statement about the artifact, in its canonical form."""


class Proof(NamedTuple):
    """What a Job found: its summary, still without the statement, what the statement says, and what the log shows, lines first."""

    summary: ProofSummary
    predicate: Mapping[str, Any]
    lines: Iterable[str]
    document: Mapping[str, Any]


Prove = Callable[[argparse.Namespace], Awaitable[Proof]]


def parser(kind: str, about: str | None) -> argparse.ArgumentParser:
    """The command line of a kind, with what every kind has."""
    found = argparse.ArgumentParser(prog=f"python -m agentrollouts {kind}", description=about)
    found.add_argument("--agent", required=True, help="the agent's name")
    found.add_argument("--version", required=True, help="the candidate's version")
    found.add_argument("--artifact-digest", required=True, help="the candidate's artifact digest")
    found.add_argument("--attempt", type=int, default=1)
    found.add_argument("--summary", default=TERMINATION_LOG, help="file for the summary")
    return found


def proved(options: argparse.Namespace, prove: Prove, stated: Stated, *, unusable: type[Exception]) -> int:
    """Prove it and say so; the exit status of :data:`STATUS`, or :data:`STOPPED`. Whatever goes wrong is a verdict, INVALID.

    ``unusable``: what the kind raises for input that can't be used.
    """
    try:
        summary = _logged(asyncio.run(_until_told(prove(options))), stated)
    except unusable as error:
        summary = _invalid(str(error))
    except (asyncio.CancelledError, KeyboardInterrupt):
        _write(options.summary, _invalid("it was told to stop before it was done"))
        return STOPPED
    except Exception as error:
        _write(options.summary, _invalid(f"{type(error).__name__}: {error}"))
        raise
    _write(options.summary, summary)
    print(f"{summary.verdict}: {summary.message}", file=sys.stderr, flush=True)
    return STATUS[summary.verdict]


async def _until_told(work: Awaitable[Found]) -> Found:
    this = asyncio.current_task()
    assert this is not None
    # SIGTERM comes at the Job's deadline, and when its pod has to go.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    return await work


def _logged(proof: Proof, stated: Stated) -> ProofSummary:
    """The summary with its statement's digest, once the log has everything."""
    said = stated(proof.predicate)
    for line in proof.lines:
        print(line, file=sys.stderr)
    whole = {**proof.document, "statement": said.decode()}
    print(json.dumps(whole, ensure_ascii=False, separators=(",", ":")), flush=True)
    digest = f"sha256:{hashlib.sha256(said).hexdigest()}"
    return proof.summary.model_copy(update={"statement_digest": digest})


def _invalid(message: str) -> ProofSummary:
    return ProofSummary(verdict="INVALID", message=clipped(message))


def _write(path: str, summary: ProofSummary) -> None:
    # NB: not replaced but written in place: the file is a mount of the kubelet's.
    Path(path).write_bytes(body_of(summary))
