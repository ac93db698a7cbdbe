"""Registries to read."""

from __future__ import annotations

from agentrollouts.models.registry import Models, Source, read_models

BASE = """
defaults: {provider: openai, parameters: {temperature: "0.2"}}
agents:
  support:
    defaults: {parameters: {max_tokens: 1024}}
    steps:
      triage: {name: gpt-5-mini, snapshot: 2026-05-01}
      answer: {name: gpt-5, snapshot: 2026-05-01, parameters: {temperature: null}}
  writer:
    steps:
      draft: {provider: anthropic, name: claude-opus-4, snapshot: "20250514"}
"""
CANARY = "agents: {support: {steps: {answer: {snapshot: 2026-08-07}}}}\n"


def models(base: str = BASE, *overrides: str) -> Models:
    named = (Source(f"override{number}.yaml", text) for number, text in enumerate(overrides, 1))
    return read_models(Source("models.yaml", base), tuple(named))
