"""How good decisions are: every rule meets the same simulated rollouts, and docs/decision-quality.md gets the tables.

    python -m bench.decisions [--reps 1000] [--metric-reps 200] [--jobs 2] [--seed N] [--only aa,minus10] [--quick] [--resume]

A thousand repetitions take an hour or so on two cores; --resume goes on with a run of these settings and of the same code that was
cut off. With --only or --quick (20 repetitions) the tables are printed and the page stays as it is.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.decisions.kept import Kept
from bench.decisions.metric_scenarios import METRIC_SCENARIOS
from bench.decisions.run import Settings, metrics, success
from bench.decisions.scenarios import SCENARIOS
from bench.decisions.table import replaced, tables
from hack.cluster.settings import read_settings

PAGE = Path("docs/decision-quality.md")
SEED = 20_261_126
QUICK = 20
ALONE, SEVERAL = "success/", "metrics/"
"""Both sets of scenarios have an ``aa``: a name with its set in front means one of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.decisions", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reps", type=int, default=1000, help="rollouts of each scenario")
    parser.add_argument(
        "--metric-reps", type=int, help="of those with several metrics; as --reps where absent"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument(
        "--only", default="", help=f"scenarios, comma separated; {ALONE}aa or {SEVERAL}aa for one set"
    )
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} repetitions, printed only")
    parser.add_argument("--resume", action="store_true", help="take what an earlier run has finished")
    given = parser.parse_args(arguments)
    given.metric_reps = given.reps if given.metric_reps is None else given.metric_reps
    if min(given.reps, given.metric_reps, given.jobs) < 1:
        parser.error("expected --reps, --metric-reps and --jobs of 1 or more")
    chosen = tuple(name for name in given.only.split(",") if name)
    names = {ALONE + s.name: s.name for s in SCENARIOS} | {SEVERAL + s.name: s.name for s in METRIC_SCENARIOS}
    if unknown := set(chosen) - {*names, *names.values()}:
        parser.error(f"expected some of {', '.join(names)}; got {', '.join(sorted(unknown))}")
    alone = [s for s in SCENARIOS if not chosen or is_meant(ALONE, s.name, chosen)]
    several = [s for s in METRIC_SCENARIOS if not chosen or is_meant(SEVERAL, s.name, chosen)]
    by_success, by_metrics = (
        Settings(QUICK if given.quick else reps, given.seed, given.jobs)
        for reps in (given.reps, given.metric_reps)
    )
    folder = read_settings(os.environ).state / "bench/decisions"
    first, second = (Kept(folder, one, reads=given.resume) for one in (by_success, by_metrics))
    text = tables(
        {s.name: first.figures(ALONE + s.name, partial(success, s, by_success)) for s in alone},
        {s.name: second.figures(SEVERAL + s.name, partial(metrics, s, by_metrics)) for s in several},
        by_success,
        by_metrics,
    )
    print(text)
    if not chosen and not given.quick:
        PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return 0


def is_meant(group: str, name: str, chosen: Sequence[str]) -> bool:
    """Whether a scenario is among the chosen, by its name alone or with its set in front."""
    return name in chosen or group + name in chosen


if __name__ == "__main__":
    sys.exit(main())
