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
Signed = Callable[[bytes], bytes]
"""From a statement to the envelope with its signature."""
SignedWith = Callable[[str], Signed | None]
"""From the path of a private key to what signs with it; None for no path. Raises where there is no such key."""


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
    found.add_argument("--signing-key", default="", help="file with the private key that signs a PASS")
    return found


def proved(
    options: argparse.Namespace,
    prove: Prove,
    stated: Stated,
    signed_with: SignedWith,
    *,
    unusable: tuple[type[Exception], ...],
) -> int:
    """Prove it and say so; the exit status of :data:`STATUS`, or :data:`STOPPED`. Whatever goes wrong is a verdict, INVALID.

    ``unusable``: what is raised for input that can't be used.
    """
    try:
        # NB: before anything is asked: answers cost money, and without a key they would be in vain.
        signed = signed_with(options.signing_key)
        summary = _logged(asyncio.run(_until_told(prove(options))), stated, signed)
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


def _logged(proof: Proof, stated: Stated, signed: Signed | None) -> ProofSummary:
    """The summary with its statement's digest, once the log has everything.

    Only a PASS is signed. A key that signs a FAIL, too, vouches for it with everybody who looks at claim and signature and no further.
    """
    said = stated(proof.predicate)
    for line in proof.lines:
        print(line, file=sys.stderr)
    whole = {**proof.document, "statement": said.decode()}
    if signed is not None and proof.summary.verdict == "PASS":
        whole["envelope"] = signed(said).decode()
    print(json.dumps(whole, ensure_ascii=False, separators=(",", ":")), flush=True)
    digest = f"sha256:{hashlib.sha256(said).hexdigest()}"
    return proof.summary.model_copy(update={"statement_digest": digest})


def _invalid(message: str) -> ProofSummary:
    return ProofSummary(verdict="INVALID", message=clipped(message))


def _write(path: str, summary: ProofSummary) -> None:
    # NB: not replaced but written in place: the file is a mount of the kubelet's.
    Path(path).write_bytes(body_of(summary))
