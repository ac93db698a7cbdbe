"""One rollout on one screen: who has which share, what the checks say, what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from agentrollouts.api.approvalgate import ApprovalGateStatus
from agentrollouts.api.rollout_status import CandidateStatus, RolloutStatus, ShareStatus
from agentrollouts.api.scalars import format_duration, short_digest
from agentrollouts.api.strategy import Strategy
from agentrollouts.cli.gate_texts import differing, rationale
from agentrollouts.cli.words import (
    COHORTS,
    bar,
    breaker,
    drifting,
    percent,
    phase,
    proof,
    span,
    time_of,
    verdict,
)

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is to see of one agent, as the API server has it."""

    rollout: Object
    versions: Sequence[Object]
    gate: Object | None
    now: datetime

    @property
    def status(self) -> RolloutStatus:
        """The Rollout's status; all defaults before the operator has written one."""
        return RolloutStatus.model_validate(self.rollout.get("status") or {})

    def version(self, semver: str) -> Object:
        """The status of one AgentVersion, empty if it doesn't exist."""
        for item in self.versions:
            if item["spec"]["version"] == semver:
                found: Object = item.get("status") or {}
                return found
        return {}


def overview(scene: Scene, *, texts: bool = True) -> RenderableType:
    """The whole screen; without ``texts`` no more than a screen."""
    status = scene.status
    parts: list[RenderableType] = [_heading(scene, status)]
    if status.shares:
        parts.append(_arms(scene, status))
    parts += [*_candidate(scene, status), *_proofs(scene, status)]
    parts += [*_checks(status), *_breakers(status)]
    parts += [*_behavior(scene, status)]
    parts += [*_gate(scene, texts=texts), *_past(scene, status)]
    return Group(*parts)


def _heading(scene: Scene, status: RolloutStatus) -> RenderableType:
    metadata, spec = scene.rollout["metadata"], scene.rollout["spec"]
    line = Text.assemble(
        (metadata["name"], "bold"), (f"  {metadata['namespace']}  ", "dim"), phase(status.phase)
    )
    if status.observed_generation < metadata.get("generation", 0):
        line.append("  the operator hasn't seen the newest change yet", "yellow")
    message = status.message or f"waits for the operator; spec.version is {spec['version']}"
    return Group(line, Text(message), Text())


def _arms(scene: Scene, status: RolloutStatus) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(6):
        # Eighty columns hold all of it; where they don't, lines are folded and nothing is lost.
        table.add_column(overflow="fold")
    for index, arm in enumerate(status.shares):
        last = index == len(status.shares) - 1
        style = COHORTS[arm.cohort]
        name = Text.assemble(("└─ " if last else "├─ ", "dim"), (arm.cohort, style))
        share = Text(percent(arm.share))
        if arm.previous_share != arm.share:
            share.append(f" was {percent(arm.previous_share)}", "dim")
        table.add_row(name, arm.version, bar(arm.share, style=style), share, *_pods(scene, arm))
    return table


def _pods(scene: Scene, arm: ShareStatus) -> tuple[Text, Text]:
    seen = scene.version(arm.version)
    if not seen:
        return Text("no AgentVersion", "red"), Text()
    ready, wanted = seen.get("readyReplicas", 0), seen.get("replicas", 0)
    style = "" if ready >= wanted and wanted else "yellow"
    return Text(f"{ready}/{wanted} ready", style), Text(short_digest(seen.get("artifactDigest", "")), "dim")


def _candidate(scene: Scene, status: RolloutStatus) -> Iterator[RenderableType]:
    candidate = status.candidate
    if candidate is None:
        return
    facts = [*_step(scene, candidate), f"on its way for {span(scene.now - candidate.started_at)}"]
    if candidate.attempt > 1:
        facts.append(f"attempt {candidate.attempt}")
    annotations = scene.rollout["metadata"].get("annotations") or {}
    if asker := annotations.get("agentrollouts.io/requested-by"):
        facts.append(f"asked for by {asker}")
    yield Padding(Text(" · ".join(facts), "dim"), (0, 0, 0, 3), expand=False)


def _step(scene: Scene, candidate: CandidateStatus) -> Iterator[str]:
    try:
        strategy = Strategy.model_validate(scene.rollout["spec"].get("strategy") or {})
    except ValidationError:
        # Written by a newer version of the chart; the shares above say the essential.
        return
    if strategy.self_tuning or strategy.manual:
        return
    steps = strategy.effective_steps()
    if not 0 <= candidate.step < len(steps):
        yield "before its first step" if candidate.step < 0 else "after its last step"
        return
    yield f"step {candidate.step + 1} of {len(steps)}"
    soaked = scene.now - candidate.step_started_at
    soak = steps[candidate.step].soak
    yield (
        f"soaked {span(soaked)} of {format_duration(soak)}"
        if soaked < soak
        else f"soaked {format_duration(soak)}"
    )


def _proofs(scene: Scene, status: RolloutStatus) -> Iterator[RenderableType]:
    """The entries of spec.beforeTraffic, those not begun yet included."""
    known = {item.name: item for item in status.candidate.proofs} if status.candidate else {}
    entries = scene.rollout["spec"].get("beforeTraffic") or ()
    if status.candidate is None:
        return
    rows = []
    for entry in entries:
        item = known.get(entry["name"])
        if item is None:
            rows.append((Text("· waits", "dim"), entry["name"], ""))
            continue
        reason = item.message
        if item.verdict == "PENDING" and item.started_at is not None:
            going = f"Job {item.job}, for {span(scene.now - item.started_at)}"
            reason = ": ".join(filter(None, (going, item.progress, reason)))
        rows.append((proof(item.verdict), item.name, reason))
    yield from _findings("before traffic", rows)


def _checks(status: RolloutStatus) -> Iterator[RenderableType]:
    yield from _findings(
        "checks", [(verdict(item.verdict), item.name, item.reason) for item in status.checks]
    )


def _breakers(status: RolloutStatus) -> Iterator[RenderableType]:
    rows = [(breaker(item.state), item.name, item.reason) for item in status.breakers]
    yield from _findings("breakers", rows)


def _findings(title: str, rows: Sequence[tuple[RenderableType, str, str]]) -> Iterator[RenderableType]:
    """(state, name, reason) under a title; nothing where there are none."""
    if not rows:
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    for state, name, reason in rows:
        table.add_row(state, name, Text(reason, "dim"))
    yield Text(f"\n{title}", "bold")
    yield table


def _behavior(scene: Scene, status: RolloutStatus) -> Iterator[RenderableType]:
    """What the monitor says of the stable version; nothing while it knows nothing."""
    told = next((item for item in status.conditions if item.type == "BehaviorDrifting"), None)
    profile = status.stable.profile if status.stable else None
    if told is None or profile is None:
        return
    yield Text.assemble(("\nbehavior  ", "bold"), drifting(told.status))
    taken = f"the profile was taken {span(scene.now - profile.at)} ago from {profile.sessions} sessions"
    yield Text(f"  {taken}" if status.drift else f"  {told.message}; {taken}", "dim")
    for drift in status.drift:
        yield Text(f"  for {span(scene.now - drift.since)}  {drift.message}", "yellow")


def _gate(scene: Scene, *, texts: bool) -> Iterator[RenderableType]:
    gate = scene.gate
    if gate is None:
        return
    spec = gate["spec"]
    status = ApprovalGateStatus.model_validate(gate.get("status") or {})
    facts = [status.phase, f"asks for {spec['share']} for {spec['version']}"]
    facts.append(f"{len(status.approvals)} of {spec.get('quorum', 1)} approvals")
    expires = time_of(spec.get("expiresAt"))
    if expires is not None and status.phase == "Pending":
        facts.append(f"expires in {span(expires - scene.now)}")
    name = gate["metadata"]["name"]
    yield Text.assemble(
        ("\ngate  ", "bold"),
        (name, "yellow" if status.phase == "Pending" else ""),
        (f"  {' · '.join(facts)}", ""),
    )
    for record in status.approvals:
        comment = f": {record.comment}" if record.comment else ""
        yield Text(f"  approved by {record.approver} {span(scene.now - record.time)} ago{comment}", "green")
    if status.rejected_by:
        yield Text(f"  {status.message or f'rejected by {status.rejected_by}'}", "red")
    yield from _evidence(gate)
    yield from differing(spec.get("diff") or "", whole=texts)
    if status.phase == "Pending":
        yield Text(
            f"  agentrollout approve {spec['agent']}   or   agentrollout reject {spec['agent']} --reason …",
            "dim",
        )


def _evidence(gate: Object) -> Iterator[RenderableType]:
    spec = gate["spec"]
    yield from rationale(spec.get("rationale") or "")
    for change in spec.get("changes") or ():
        yield Text(f"  {change}", "dim")
    for item in spec.get("proofs") or ():
        yield Text(
            f"  before traffic: {item['kind']} {item['name']} {item['verdict']}: {item.get('message', '')}"
        )
    rows = spec.get("evidence") or ()
    if not rows:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    for heading in ("cohort", "version", "tasks", "success", "USD a task", "p95 s", "tools"):
        table.add_column(heading, justify="left" if heading in ("cohort", "version") else "right")
    for row in rows:
        table.add_row(
            Text(row["cohort"], COHORTS.get(row["cohort"], "")), row["version"], str(row.get("tasks", 0)),
            *(row.get(key) or "–" for key in ("successRate", "meanCostUsd", "p95LatencySeconds", "toolSuccessRate")),
        )  # fmt: skip
    yield Padding(table, (0, 0, 0, 2), expand=False)


def _past(scene: Scene, status: RolloutStatus) -> Iterator[RenderableType]:
    lines: list[Text] = []
    if status.previous is not None and status.previous.warm_until > scene.now:
        warm = span(status.previous.warm_until - scene.now)
        lines.append(
            Text(f"{status.previous.version} stays warm for {warm}: agentrollout undo goes back to it", "dim")
        )
    if status.rejected is not None:
        gone = status.rejected
        ago = span(scene.now - gone.at)
        lines.append(Text(f"{gone.version} was taken out {ago} ago, {gone.reason}: {gone.message}", "red"))
    if lines:
        yield Text()
        yield from lines
