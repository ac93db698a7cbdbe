"""A Job's last word within what a kubelet keeps of it. Pure."""

from __future__ import annotations

from agentrollouts.api.before_traffic import MESSAGE_BYTES, ProofSummary

_SENTENCE = 1024


def body_of(summary: ProofSummary) -> bytes:
    """The JSON, its message cut until it fits."""
    body = _bytes(summary)
    while len(body) > MESSAGE_BYTES:
        # A character takes up to four bytes.
        keep = len(summary.message) - max(2, (len(body) - MESSAGE_BYTES) // 4)
        summary = summary.model_copy(update={"message": f"{summary.message[:keep]}…"})
        body = _bytes(summary)
    return body


def clipped(text: str) -> str:
    """On one line, without control characters, and no longer than a summary's message may be."""
    line = "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))
    return line if len(line) <= _SENTENCE else f"{line[: _SENTENCE - 1]}…"


def _bytes(summary: ProofSummary) -> bytes:
    return summary.model_dump_json(by_alias=True, exclude_defaults=True).encode()
