"""What a long run has finished, a file a scenario, so that one that is cut off can go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from bench.decisions.figures import Figures
from bench.decisions.run import ByRule, Settings


class Kept:
    """Figures of one seed and number of repetitions. NB: it doesn't know which code they are of."""

    def __init__(self, folder: Path, settings: Settings, *, reads: bool) -> None:
        self._folder = folder / f"seed-{settings.seed}-reps-{settings.repetitions}"
        self._reads = reads

    def figures(self, name: str, play: Callable[[], ByRule]) -> ByRule:
        """A scenario's, from the file if they may be, else played and written down."""
        file = self._folder / f"{name}.json"
        if self._reads and file.exists():
            found = json.loads(file.read_text(encoding="utf-8"))
            return {rule: Figures(**fields) for rule, fields in found.items()}
        figures = play()
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({rule: one._asdict() for rule, one in figures.items()}, indent=1)
        file.write_text(text + "\n", encoding="utf-8")
        print(name, file=sys.stderr, flush=True)
        return figures
