"""How fast a release is read, checked and digested: whole releases a second, and megabytes of data a second.

Run: python -m bench.digest [--prompts N] [--megabytes N]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentrollouts.release.source import read_source
from agentrollouts_kit.release import read_release

ROUNDS = 5
RELEASE = """\
agent: support
version: 1.0.0
code: {{image: "registry.example.com/support:1.0.0@sha256:{digest}"}}
model: {{provider: example, name: small-1, snapshot: small-1-2026-05-01, parameters: {{temperature: "0.2"}}}}
prompts: [prompts]
tools: tools.yaml
data: {{files: {data}}}
"""
TOOL = "- {{name: tool-{0}, description: Does the work of number {0}, inputSchema: {{type: object}}, permissions: [orders.read], sideEffects: safe}}\n"


def release_in(folder: Path, *, prompts: int, data: int) -> Path:
    """A release directory: prompts of 4 KiB, twenty tools, and data files of one mebibyte."""
    (folder / "prompts").mkdir(parents=True)
    for number in range(prompts):
        (folder / "prompts" / f"{number:03}.md").write_text(f"Rule {number}: be kind.\n" * 180)
    (folder / "data").mkdir()
    for number in range(data):
        (folder / "data" / f"{number:03}.bin").write_bytes(bytes([number % 256]) * 2**20)
    (folder / "tools.yaml").write_text("tools:\n" + "".join(TOOL.format(number) for number in range(20)))
    names = "[data]" if data else "[]"
    (folder / "release.yaml").write_text(RELEASE.format(digest="a" * 64, data=names))
    return folder


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one piece of work, the best of some rounds."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=64)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        words = release_in(Path(name) / "words", prompts=given.prompts, data=0)
        bulk = release_in(Path(name) / "bulk", prompts=1, data=given.megabytes)
        mounted = Path(name) / "mounted"
        mounted.mkdir()
        artifact = read_source(words)
        for part, document in artifact.documents.items():
            (mounted / f"{part}.json").write_bytes(document.content)
        assert read_release(mounted).digest == artifact.digest
        print(
            json.dumps(
                {
                    "releases_a_second": round(1 / seconds(lambda: read_source(words).digest), 1),
                    "data_megabytes_a_second": round(
                        given.megabytes / seconds(lambda: read_source(bulk).digest)
                    ),
                    "kit_releases_a_second": round(1 / seconds(lambda: read_release(mounted)), 1),
                    "prompts": given.prompts,
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
