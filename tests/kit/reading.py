"""Reads a scrape the way Prometheus does, for tests that compare it with a truth."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from agentrollouts_kit import Reporter


class Reading:
    """All samples of one scrape; `reading(name, label=value)` sums the samples that have these labels."""

    def __init__(self, text: str) -> None:
        self.samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    @classmethod
    def of(cls, reporter: Reporter) -> Reading:
        return cls(reporter.render("").body.decode())

    def __call__(self, name: str, **labels: str) -> float:
        values = [s.value for s in self.samples if s.name == name and _has(s.labels, labels)]
        assert values, f"no sample {name}{labels}"
        return sum(values)

    def series(self) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
        return {(s.name, tuple(sorted(s.labels.items()))) for s in self.samples}


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in wanted.items())
