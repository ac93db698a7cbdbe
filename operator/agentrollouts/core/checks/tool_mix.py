"""toolMix: how far the candidate's mix of tools is from the old version's. It warns and never fails."""

from __future__ import annotations

from agentrollouts.api.session_kinds import ToolMixSpec
from agentrollouts.core.checks.mixes import judge_mix
from agentrollouts.core.checks.result import CheckInput, CheckResult
from agentrollouts.core.counters import SESSION_TOOLS, SESSIONS
from agentrollouts.core.evidence import CounterQuery


def queries(spec: ToolMixSpec) -> tuple[CounterQuery, ...]:
    """Counters the check reads."""
    return (SESSIONS, SESSION_TOOLS)


def judge(spec: ToolMixSpec, given: CheckInput) -> CheckResult:
    """WARN when the mix moved by more than the tolerance and what chance moves it by."""
    return judge_mix(given, SESSION_TOOLS, tolerance=spec.tolerance, what="tool calls")
