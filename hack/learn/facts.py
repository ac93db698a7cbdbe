"""What this demo claims at its end: from the users' ledger, the agents' counters, the author's notes and the task ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agent_load import Ledger
from hack.demo.measure import Counts, Fact, RouteHistory, agreement, judged, of_routing
from hack.learn.manifests import FIRST, GAMING, PRICES, PROPOSED, WORSE

COHORTS = ("stable", "control", "candidate")
"""Whoever comes through the router is in one of these; evaluations are in none."""


@dataclass(slots=True, kw_only=True)
class Learned:
    """What happened, as far as the story has come. ``runs``: what the improver said, by author.

    ``held_out``: tasks in the ledger that are held out, ``shown``: of these those that an author was shown or the improver's token reads,
    ``unknown``: inputs that an author was shown and nobody recorded. ``used``: the author's requests and tokens by model.
    """

    runs: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    rejected: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    approvers: tuple[str, ...] = ()
    requesters: tuple[str, ...] = ()
    held_out: int = 0
    shown: int = 0
    unknown: int = 0
    used: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    written_by_agents: tuple[str, ...] = ()


def about_users(ledger: Ledger, history: RouteHistory) -> list[Fact]:
    """What the users got, and what they never met."""
    before, after = failed(ledger, FIRST), failed(ledger, PROPOSED)
    rows = [
        *of_routing(ledger, history),
        Fact(f"wrong answers of {FIRST}", f"{before:.1%}", "25% to 35%", 0.25 <= before <= 0.35),
        Fact(f"wrong answers of {PROPOSED}", f"{after:.1%}", "at most 3%", 0 <= after <= 0.03),
    ]
    for version in (WORSE, GAMING):
        met = sum(version in (row.version, row.routed_version) for row in ledger.rows())
        share = max(
            (sum(n for (_, who), n in change.after.items() if who == version) for change in history.changes),
            default=0,
        )
        rows.append(
            Fact(
                f"requests that reached {version}",
                f"{met}, largest share {share / 100:g}%",
                "0, 0%",
                not met and not share,
            )
        )
    return rows


def about_counts(ledger: Ledger, counts: Counts) -> Fact:
    """What the agents counted of users' tasks; trials and replays are in none of the counters, evaluations in no cohort."""
    return agreement(judged(ledger), {key: n for key, n in counts.items() if key[1] in COHORTS})


def about_learning(learned: Learned, stable: str) -> list[Fact]:
    """What became of the three authors, who said yes, and what the improver saw and cost."""
    spent = sum((Decimal(str(run["cost_usd"])) for run in learned.runs.values()), Decimal(0))
    priced = sum((_price(model, used) for model, used in learned.used.items()), Decimal(0))
    # A turn is rounded up to the next micro-dollar.
    turns = sum(used["requests"] for used in learned.used.values())
    exact = learned.used.keys() == learned.runs.keys() and 0 <= spent - priced <= Decimal(turns) / 1_000_000
    asked = {*learned.requesters} & {*learned.approvers}
    return [
        *(
            Fact(
                f"stopped before traffic: {version}",
                _first_words(learned.rejected.get(version)),
                entry,
                _by(learned, version, entry),
            )
            for version, entry in ((WORSE, "golden"), (GAMING, "replayed"))
        ),
        Fact(
            "versions that the improver wrote",
            ", ".join(learned.written_by_agents) or "none",
            f"{PROPOSED} alone, of three authors' prompts",
            learned.written_by_agents == (PROPOSED,),
        ),
        Fact(
            f"who approved {PROPOSED}",
            ", ".join(learned.approvers) or "nobody",
            f"a person; it was asked for by {', '.join(learned.requesters) or 'nobody'}",
            bool(learned.approvers) and bool(learned.requesters) and not asked,
        ),
        Fact(
            "cost of the proposals, refused ones too",
            f"{spent:.6f} USD",
            f"{priced:.6f} USD by the author's own count",
            exact,
        ),
        Fact(
            "held-out tasks that the improver or its author saw",
            f"{learned.shown} of {learned.held_out}"
            + (f", {learned.unknown} of no known task" if learned.unknown else ""),
            "0",
            learned.held_out > 0 and not learned.shown and not learned.unknown,
        ),
        Fact("version that serves at the end", stable, PROPOSED, stable == PROPOSED),
    ]


def failed(ledger: Ledger, version: str) -> float:
    """The fraction of wrong answers among a version's, as its users know it; -1 where it gave none."""
    verdicts = [row.verdict for row in ledger.rows() if row.version == version and row.verdict != "none"]
    return verdicts.count("wrong") / len(verdicts) if verdicts else -1.0


def _price(model: str, used: Mapping[str, int]) -> Decimal:
    price = PRICES[model]
    return (
        used["input_tokens"] * Decimal(price["input"]) + used["output_tokens"] * Decimal(price["output"])
    ) / 1_000_000


def _by(learned: Learned, version: str, entry: str) -> bool:
    return str(learned.rejected.get(version, {}).get("message", "")).startswith(f"{entry}: ")


def _first_words(rejected: Mapping[str, Any] | None, most: int = 90) -> str:
    said: Sequence[str] = str((rejected or {}).get("message") or "not stopped").split("\n")
    return said[0] if len(said[0]) <= most else f"{said[0][: most - 1]}…"
