"""The chart's copies of the definitions."""

from __future__ import annotations

import runpy
from pathlib import Path

from tests.unit.chart.helm import REPOSITORY

SCRIPT = runpy.run_path(str(REPOSITORY / "charts" / "sync_crds.py"))


def test_the_chart_has_the_definitions_as_they_are() -> None:
    assert SCRIPT["differing"]() == [], "run `python charts/sync_crds.py`"


def test_a_difference_is_found_and_mended(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for folder in (source, target):
        folder.mkdir()
    for name in ("same", "changed", "new"):
        (source / f"{name}.yaml").write_text(name)
    (target / "same.yaml").write_text("same")
    (target / "changed.yaml").write_text("as it was")
    (target / "gone.yaml").write_text("gone")
    assert SCRIPT["differing"](source, target) == ["changed.yaml", "gone.yaml", "new.yaml"]
    SCRIPT["copy"](source, target)
    assert SCRIPT["differing"](source, target) == []
