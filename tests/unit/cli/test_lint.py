"""Manifests checked offline: the same refusals as the API server's, with the place in the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from agentrollouts.api.kinds import AGENT_VERSION, ROLLOUT
from agentrollouts.cli import manifests
from agentrollouts.cli.manifests import lint_text
from agentrollouts.cli.rules import RULES
from agentrollouts.cli.schema import MATCHES
from tests.integration.crds.examples import BASES, changed
from tests.integration.crds.refusals import BOUNDS, PAIRS, SCALARS, Pair

OURS = [name for name in BASES if name.startswith(("version", "rollout"))]
REPOSITORY = Path(__file__).parents[3]


def messages(body: object) -> list[str]:
    return [finding.message for finding in lint_text(yaml.safe_dump(body)).findings]


@pytest.mark.parametrize("base", OURS)
def test_good_manifests_are_good(base: str) -> None:
    assert messages(BASES[base]) == []


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair.base in OURS], ids=str)
def test_every_rule_of_the_server_is_a_rule_here(pair: Pair) -> None:
    assert messages(changed(pair.base, pair.good)) == []
    assert messages(changed(pair.base, pair.bad)) == [pair.message]


@pytest.mark.parametrize(
    "base_change", [item for item in BOUNDS if item[0] in OURS], ids=lambda item: item[2]
)
def test_every_bound_of_the_server_is_a_bound_here(base_change: tuple[str, dict[str, object], str]) -> None:
    base, changes, _ = base_change
    assert messages(changed(base, changes))


def test_no_rule_of_the_definitions_is_unknown() -> None:
    unknown = [
        rule["message"]
        for kind in (ROLLOUT, AGENT_VERSION)
        for rule in _rules(manifests._schema(kind.kind))
        if "oldSelf" not in rule["rule"] and not MATCHES.match(rule["rule"]) and rule["message"] not in RULES
    ]
    assert unknown == []


def _rules(node: object) -> list[dict[str, str]]:
    if isinstance(node, list):
        return [rule for item in node for rule in _rules(item)]
    if not isinstance(node, dict):
        return []
    own = list(node.get("x-kubernetes-validations", ()))
    return own + [rule for item in node.values() for rule in _rules(item)]


@pytest.mark.parametrize(
    ("path", "words"),
    [("spec.approval.above", "write a percentage"), ("spec.approval.ttl", "write a duration"),
     ("spec.version", "write a semantic version"), ("spec.agent", "write at most 40 lower-case"),
     ("spec.assignment.header", "write the name of a header"), ("spec.assignment.group", "write lower-case letters")],
)  # fmt: skip
def test_single_values(path: str, words: str) -> None:
    message, values = next((key, found) for key, found in SCALARS.items() if key.startswith(words))
    for value in values:
        found = messages(changed("rollout", {path: value}))
        assert any(message in each or "expected at" in each for each in found), (value, found)


MISTAKES = """\
apiVersion: agentrollouts.io/v1alpha1
kind: Rollout
metadata:
  name: support
spec:
  agent: support
  version: 1.2
  strategy:
    steps:
    - {share: 5%, soek: 10m}
---
apiVersion: v1
kind: Service
metadata: {name: unrelated, oddity: true}
---
apiVersion: agentrollouts.io/v1alpha1
kind: Rolout
metadata: {name: x}
---
apiVersion: agentrollouts.io/v1alpha1
kind: ApprovalGate
metadata: {name: x}
"""


def test_findings_say_where_and_what_to_do() -> None:
    report = lint_text(MISTAKES)
    assert report.checked == 3
    assert [(item.line, item.subject, item.path, item.message) for item in report.findings] == [
        (7, "Rollout/support", "spec.version", "expected a string, got 1.2; put it in quotes"),
        (10, "Rollout/support", "spec.strategy.steps[0].soek", "there is no field soek here; did you mean soak?"),
        (17, "Rolout/x", "kind", "expected one of AgentVersion, Rollout, got 'Rolout'"),
        (21, "ApprovalGate/x", "kind", "the operator makes ApprovalGate objects; leave it out of your manifests"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "---\n---\n", "- 1\n- 2\n", "apiVersion: 1\n", "just words", "apiVersion: v1\nmetadata: []\n"],
)
def test_what_is_not_ours_is_left_alone(text: str) -> None:
    assert lint_text(text) == manifests.Report(0, ())


@pytest.mark.parametrize(
    "body",
    [
        "metadata: []",
        "metadata: {name: 5}",
        "metadata: {name: x}\nspec: []",
        "metadata: {name: x}\nspec: {strategy: {steps: [1, {share: []}]}}",
        "metadata: {name: x}\nspec: {agent: null, strategy: {manual: {shares: [{version: 1.0.0, share: 1}, 3]}}}",
    ],
)
def test_nonsense_is_reported_and_breaks_nothing(body: str) -> None:
    assert lint_text(f"apiVersion: agentrollouts.io/v1alpha1\nkind: Rollout\n{body}\n").findings


def test_broken_yaml_has_a_line() -> None:
    (finding,) = lint_text("a: 1\nb: [1\nc: 2\n").findings
    assert finding.line == 3
    assert re.match("can't be read: ", finding.message)


def test_another_api_version_is_named() -> None:
    text = yaml.safe_dump({**BASES["rollout"], "apiVersion": "agentrollouts.io/v9"})
    assert [item.message for item in lint_text(text).findings] == [
        "expected agentrollouts.io/v1alpha1, got agentrollouts.io/v9"
    ]


def test_a_status_is_no_business_of_lint() -> None:
    assert messages({**BASES["rollout"], "status": {"anything": 1}}) == []


def test_the_samples_in_the_repository_are_good() -> None:
    files = sorted(REPOSITORY.glob("agents/*/manifests/*.yaml"))
    assert files
    for file in files:
        assert lint_text(file.read_text()).findings == (), file


OWN_QUERIES = """\
apiVersion: agentrollouts.io/v1alpha1
kind: Rollout
metadata: {name: support}
spec:
  agent: support
  version: 1.0.0
  analysis:
    checks:
    - name: good
      promql: {query: "max by (namespace, agent, version, cohort) (queue)", max: 1}
    - name: ungrouped
      promql:
        max: 1
        query: 'max(queue{namespace="{{ namespace }}", agent="{{ agent }}"})'
    - name: unknown
      promql: {query: 'max by (version, cohort) (queue{agent="{{ agnt }}"})', max: 1}
"""


def test_templates_of_queries_are_looked_at() -> None:
    found = [(item.line, item.path, item.message) for item in lint_text(OWN_QUERIES).findings]
    assert [(line, path) for line, path, _ in found] == [
        (14, "spec.analysis.checks[1].promql.query"),
        (16, "spec.analysis.checks[2].promql.query"),
    ]
    assert "expected a query that groups by (version, cohort); got no by (…): write sum by" in found[0][2]
    assert found[1][2] == (
        "expected one of the variables {{ namespace }}, {{ agent }}, {{ window }}; got {{ agnt }}"
    )
