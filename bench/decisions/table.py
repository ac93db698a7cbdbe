"""The tables of docs/decision-quality.md, from the figures."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence

from bench.decisions.figures import Figures
from bench.decisions.metric_scenarios import METRIC_SCENARIOS
from bench.decisions.run import Results, Settings
from bench.decisions.scenarios import SCENARIOS

BEGIN, END = "<!-- tables: written by python -m bench.decisions -->", "<!-- tables: end -->"
NONE = "–"
WHOLE = 0.995
"""Of the rollouts; when fewer come to the right decision, the cell says how many."""

Cell = Callable[[Figures], str]


def replaced(page: str, text: str) -> str:
    """The page with its tables replaced.

    Raises:
        ValueError: the page doesn't have each marker once.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"expected the lines {BEGIN!r} and {END!r}, once and in this order: put them back")
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"


def tables(alone: Results, several: Results, by_success: Settings, by_metrics: Settings) -> str:
    """All tables as Markdown; those without any figure are left out. The settings are those that each set was played with."""
    parts = [_caption(by_success, by_metrics), *_alone(alone), *_several(several)]
    return "\n\n".join(part for part in parts if part)


def _caption(by_success: Settings, by_metrics: Settings) -> str:
    return (
        f"Rollouts of each scenario by success alone: {by_success.repetitions};"
        f" by several metrics: {by_metrics.repetitions}."
        f" Seed {by_success.seed}, Python {platform.python_version()}."
    )


def _alone(results: Results) -> list[str]:
    good = [s.name for s in SCENARIOS if s.truth == "good"]
    late = [s.name for s in SCENARIOS if s.onset]
    bad = [s.name for s in SCENARIOS if s.truth == "bad"]
    free = [s.name for s in SCENARIOS if not s.gated]
    between = [s.name for s in SCENARIOS if s.truth == "between"]
    return [
        "### Success alone" if results else "",
        _titled("The worst of all rows, and what a look costs:", _worst(results)),
        _table("False rollbacks, %:", results, good + late, lambda f: percent(f.false_rollback)),
        _table(
            "Bad versions promoted, %:",
            results,
            [n for n in bad if n in free],
            lambda f: percent(f.bad_promoted),
        ),
        _table(
            "The candidate's tasks until a bad version is rolled back, median / p95:", results, bad, until
        ),
        _table(
            "The candidate's tasks until a good version is promoted, median / p95:",
            results,
            [n for n in good if n in free],
            until,
        ),
        _table(
            "Undecided after 24 hours, % (in the rows left out, nobody is):",
            results,
            [name for name in free if any(f.undecided for f in results.get(name, {}).values())],
            lambda f: percent(f.undecided),
        ),
        _table(
            "Worse, but by less than the margin, so that neither is an error: rolled back / promoted, %:",
            results,
            between,
            lambda f: f"{percent(f.stopped)} / {percent(f.promoted)}",
        ),
    ]


def _several(results: Results) -> list[str]:
    innocent = [s.name for s in METRIC_SCENARIOS if not s.blame]
    guilty = [s.name for s in METRIC_SCENARIOS if s.blame]
    return [
        "### Several metrics" if results else "",
        _table("Stopped though nothing is wrong, %:", results, innocent, lambda f: percent(f.false_rollback)),
        _table("Stopped for the right reason, %:", results, guilty, lambda f: percent(f.right)),
        _table("The candidate's tasks until then, median / p95:", results, guilty, until),
        _table("Could have been promoted first, %:", results, guilty, lambda f: percent(f.bad_promoted)),
        _table("Microseconds of CPU a look:", results, innocent, micros),
    ]


def _table(title: str, results: Results, scenarios: Sequence[str], cell: Cell) -> str:
    """One row a rule, one column a scenario."""
    present = [name for name in scenarios if name in results]
    if not present:
        return ""
    rules = list(results[present[0]])
    rows = [[rule, *[cell(results[name][rule]) for name in present]] for rule in rules]
    return _titled(title, grid(["", *present], rows))


def _worst(results: Results) -> str:
    if not results:
        return ""
    head = ["", "false rollbacks, %", "bad promoted, %", "undecided, %", "µs of CPU a look"]
    free = {s.name for s in SCENARIOS if not s.gated}
    rows = []
    for rule in next(iter(results.values())):
        of = {name: by_rule[rule] for name, by_rule in results.items()}
        rows.append(
            [
                rule,
                worst({name: f.false_rollback for name, f in of.items()}),
                worst({name: f.bad_promoted for name, f in of.items()}),
                worst({name: f.undecided for name, f in of.items() if name in free}),
                f"{1e6 * sum(f.seconds for f in of.values()) / sum(f.looks for f in of.values()):.0f}",
            ]
        )
    return grid(head, rows)


def worst(shares: Mapping[str, float | None]) -> str:
    """The largest of them, and where it is."""
    known = {name: share for name, share in shares.items() if share is not None}
    if not known:
        return NONE
    name = max(known, key=known.__getitem__)
    return f"{percent(known[name])} ({name})" if known[name] > 0.0 else percent(0.0)


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; every column but the first is numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float | None) -> str:
    """With a decimal."""
    return NONE if share is None else f"{100.0 * share:.1f}"


def until(figures: Figures) -> str:
    """Median and p95 of the rollouts that came to the right decision, and their part where it isn't nearly all."""
    if figures.median is None or figures.p95 is None:
        return NONE
    part = figures.right if figures.right is not None else 1.0
    few = f" ({100.0 * part:.0f} %)" if part < WHOLE else ""
    return f"{figures.median:.0f} / {figures.p95:.0f}{few}"


def micros(figures: Figures) -> str:
    """What a look cost the rule."""
    return f"{1e6 * figures.seconds / figures.looks:.0f}"


def _titled(title: str, table: str) -> str:
    return f"{title}\n\n{table}" if table else ""
