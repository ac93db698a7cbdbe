"""What makes a good object bad: an accepting and a refusing example for every rule of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.integration.api import Object
from tests.integration.crds.examples import OTHER_DIGEST, PEM, REMOVED, container


@dataclass(frozen=True, slots=True)
class Pair:
    """A rule by its message, with changes to a base that satisfy it and changes that break it."""

    base: str
    message: str
    good: Mapping[str, Any]
    bad: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.base}: {self.message}"


def _pair(base: str, message: str, *, good: Mapping[str, Any], bad: Mapping[str, Any]) -> Pair:
    return Pair(base, message, good, bad)


def _steps(*shares: object) -> Mapping[str, Any]:
    return {"spec.strategy.steps": [{"share": share} for share in shares]}


def _tuning(**fields: object) -> Mapping[str, Any]:
    return {f"spec.strategy.selfTuning.{name}": value for name, value in fields.items()}


def _check(**kind: object) -> Mapping[str, Any]:
    return {"spec.analysis.checks": [{"name": "one", **kind}]}


QUERY = "sum by (namespace, agent, version, cohort) (x)"
ONE_KIND = (
    "give exactly one kind of check: successRate, failureRate, cost, latency, latencyQuantile, toolFailures, toolMix,"
    " topicMix, responseLength, events, llmCalls, score, ratio, promql"
)


def _verify(require: list[str], **key: Any) -> Mapping[str, Any]:
    keys = [{"name": "ci", "publicKey": PEM, **key}]
    return {"spec.release": {"verify": {"keys": keys, "require": require}}}


_DATASET = {"dataset": {"configMap": "evals", "key": "golden.yaml"}, "minimumScore": "80%"}


def _proof(**fields: object) -> Mapping[str, Any]:
    return {"spec.beforeTraffic": [{"name": "one", "eval": _DATASET, **fields}]}


def _baseline(**fields: object) -> Mapping[str, Any]:
    return {"spec.beforeTraffic": [{"name": "one", "eval": {**_DATASET, "baseline": fields}}]}


def _replay(**source: object) -> Mapping[str, Any]:
    return {"spec.beforeTraffic": [{"name": "one", "replay": {"from": source}}]}


def _compared(compare: str, **fields: object) -> Mapping[str, Any]:
    replay = {"from": {"ledger": {}}, "compare": compare, **fields}
    return {"spec.beforeTraffic": [{"name": "one", "replay": replay}]}


_EMBEDDING = {"url": "http://llm.models:8000/v1", "model": "small-embedding"}

PAIRS = (
    _pair(
        "rollout",
        "each claim in require needs a key that may vouch for it, or no version could ever start",
        good=_verify(["build", "eval"]),
        bad=_verify(["build", "eval"], claims=["build"]),
    ),
    _pair(
        "rollout",
        "give exactly one kind of proof: eval, replay",
        good=_proof(),
        bad={"spec.beforeTraffic": [{"name": "one"}]},
    ),
    _pair(
        "rollout",
        "give exactly one kind of proof: eval, replay",
        good=_replay(ledger={}),
        bad=_proof(replay={"from": {"ledger": {}}}),
    ),
    _pair(
        "rollout",
        "give either ledger or configMap and key",
        good=_replay(configMap="tasks", key="tasks.jsonl"),
        bad=_replay(configMap="tasks", key="tasks.jsonl", ledger={}),
    ),
    _pair(
        "rollout",
        "give either ledger or configMap and key",
        good=_replay(ledger={"url": "http://ledger.agent-rollouts:8090", "secret": "support-reader"}),
        bad=_replay(),
    ),
    _pair(
        "rollout",
        "give either ledger or configMap and key",
        good=_replay(configMap="tasks", key="tasks.jsonl"),
        bad=_replay(configMap="tasks"),
    ),
    _pair(
        "rollout",
        "give embedding with compare: Embedding, and only then",
        good=_compared("Embedding", embedding=_EMBEDDING),
        bad=_compared("Embedding"),
    ),
    _pair(
        "rollout",
        "give embedding with compare: Embedding, and only then",
        good=_compared("Text", threshold="90%"),
        bad=_compared("Text", threshold="90%", embedding=_EMBEDDING),
    ),
    _pair(
        "rollout",
        "write a timeout of more than 0s and at most 24h",
        good=_proof(timeout="24h"),
        bad=_proof(timeout="24h1s"),
    ),
    _pair(
        "rollout",
        "write a timeout of more than 0s and at most 24h",
        good=_proof(timeout="1s"),
        bad=_proof(timeout="0s"),
    ),
    _pair(
        "rollout",
        "give either stable: true or configMap and key",
        good=_baseline(stable=True),
        bad=_baseline(stable=True, configMap="evals", key="baseline.json"),
    ),
    _pair(
        "rollout",
        "give either stable: true or configMap and key",
        good=_baseline(configMap="evals", key="baseline.json"),
        bad=_baseline(configMap="evals"),
    ),
    _pair(
        "rollout",
        "give either stable: true or configMap and key",
        good=_baseline(stable=False, configMap="evals", key="baseline.json"),
        bad=_baseline(),
    ),
    _pair(
        "rollout",
        "write at least 10m between two proposals",
        good={"spec.proposals": {"minimumInterval": "10m"}},
        bad={"spec.proposals": {"minimumInterval": "9m59s"}},
    ),
    *(
        _pair(
            "rollout",
            f"{name} must be at least 1%",
            good={f"spec.monitor.{name}": "1%"},
            bad={f"spec.monitor.{name}": "0.99%"},
        )
        for name in ("toolMix", "topicMix", "responseLength", "events")
    ),
    _pair(
        "rollout",
        "window must be at least interval, or sessions would fall between two looks",
        good={"spec.monitor": {"interval": "30m", "window": "30m"}},
        bad={"spec.monitor": {"interval": "31m", "window": "30m"}},
    ),
    _pair(
        "rollout",
        "write at least 1m",
        good={"spec.monitor.interval": "60s"},
        bad={"spec.monitor.interval": "59s"},
    ),
    _pair(
        "rollout",
        "write a window from 10m to 168h",
        good={"spec.monitor": {"window": "10m"}},
        bad={"spec.monitor": {"window": "9m59s"}},
    ),
    _pair(
        "rollout",
        "write a window from 10m to 168h",
        good={"spec.monitor.window": "168h"},
        bad={"spec.monitor.window": "168h1s"},
    ),
    _pair(
        "version",
        "metadata.name must be <spec.agent>-<spec.version>, such as support-1.2.0, so that a version exists only once",
        good={"metadata.name": "billing-2.0.0-rc1", "spec.agent": "billing", "spec.version": "2.0.0-rc1"},
        bad={"metadata.name": "support"},
    ),
    _pair(
        "version",
        "give exactly one of template (the operator makes the Deployment) and deploymentRef (you own it)",
        good={"spec.template": REMOVED, "spec.deploymentRef": {"name": "mine"}},
        bad={"spec.deploymentRef": {"name": "mine"}},
    ),
    _pair(
        "version",
        "give exactly one of template (the operator makes the Deployment) and deploymentRef (you own it)",
        good={},
        bad={"spec.template": REMOVED},
    ),
    _pair(
        "version",
        "give one container a port named http: that is where the agent is called",
        good={"spec.template.spec.containers": [{"name": "proxy", "image": "p"}, container()]},
        bad={"spec.template.spec.containers.0.ports.0.name": "web"},
    ),
    _pair(
        "version",
        "a parameter's name may have at most 64 characters",
        good={"spec.release.model.parameters": {"p" * 64: "1"}},
        bad={"spec.release.model.parameters": {"p" * 65: "1"}},
    ),
    _pair(
        "rollout",
        "metadata.name must equal spec.agent: an agent has one Rollout",
        good={"metadata.name": "billing", "spec.agent": "billing"},
        bad={"metadata.name": "billing"},
    ),
    _pair(
        "rollout-steps",
        "give at most one of header and cookie",
        good={"spec.assignment": {"cookie": "uid"}},
        bad={"spec.assignment.cookie": "uid"},
    ),
    _pair(
        "rollout-steps",
        "give at most one strategy: steps, selfTuning or manual",
        good={"spec.strategy": {}},
        bad={"spec.strategy.selfTuning": {}},
    ),
    _pair(
        "rollout-steps",
        "each step's share must be larger than the one before; a candidate never steps down",
        good=_steps("0.01%", 1, "1.01%", "99.99%"),
        bad=_steps("9%", "10%", 5),
    ),
    _pair(
        "rollout-steps",
        "each step's share must be larger than the one before; a candidate never steps down",
        good=_steps("10%"),
        bad=_steps("10%", 10),
    ),
    _pair(
        "rollout-steps",
        "a step's share must be above 0% and below 100%; the last step to 100% comes by itself after approval",
        good=_steps("0.01%", "99.99%"),
        bad=_steps("5%", "100%"),
    ),
    _pair(
        "rollout-steps",
        "a step's share must be above 0% and below 100%; the last step to 100% comes by itself after approval",
        good=_steps(1, 99),
        bad=_steps(0, 5),
    ),
    _pair(
        "rollout-steps",
        "write at least 1s",
        good={"spec.analysis.interval": "1s"},
        bad={"spec.analysis.interval": "0h0m0s"},
    ),
    _pair(
        "rollout-steps",
        "write a timeout of more than 0s and at most 2m",
        good={"spec.advisor.timeout": "1m60s"},
        bad={"spec.advisor.timeout": "2m1s"},
    ),
    _pair(
        "rollout-steps",
        "write a timeout of more than 0s and at most 2m",
        good={"spec.advisor.timeout": "1s"},
        bad={"spec.advisor.timeout": "0s"},
    ),
    _pair(
        "rollout-tuning",
        "floor must be at most start, and start at most ceiling",
        good=_tuning(floor=5, start="5%", ceiling="5.00%"),
        bad=_tuning(floor="6%"),
    ),
    _pair(
        "rollout-tuning",
        "floor must be at most start, and start at most ceiling",
        good=_tuning(start="80%"),
        bad=_tuning(start="80.01%"),
    ),
    _pair(
        "rollout-tuning",
        "promoteBelow must be at most rollbackAbove; between the two the share is held",
        good=_tuning(promoteBelow="15%"),
        bad=_tuning(promoteBelow="16%"),
    ),
    _pair(
        "rollout-tuning",
        "minimumSamples must be at most window, or the failure rate would never count",
        good=_tuning(minimumSamples=100),
        bad=_tuning(minimumSamples=101),
    ),
    _pair(
        "rollout-manual",
        "the shares of a manual strategy must add up to 100%",
        good={
            "spec.strategy.manual.shares": [
                {"version": f"1.{n}.0", "share": s} for n, s in enumerate([0, "0.1%", "99.9%"])
            ]
        },
        bad={"spec.strategy.manual.shares.0.share": "33.34%"},
    ),
    _pair(
        "rollout-steps",
        ONE_KIND,
        good={"spec.analysis.checks": [{"name": "own", "cost": {}}]},
        bad={"spec.analysis.checks.0.cost": {}},
    ),
    _pair(
        "rollout-steps",
        ONE_KIND,
        good={"spec.analysis.checks": []},
        bad={"spec.analysis.checks": [{"name": "nothing"}]},
    ),
    _pair(
        "rollout-steps",
        "give exactly one kind of breaker: cost, errors, interventions",
        good={"spec.analysis.breakers": [{"name": "spend", "cost": {"maxPerTask": 2}}]},
        bad={"spec.analysis.breakers": [{"name": "spend"}]},
    ),
    _pair(
        "rollout-steps",
        "give exactly one kind of notifier: webhook, slack",
        good={"spec.notify": [{"name": "team", "slack": {"ref": "team-chat"}}]},
        bad={"spec.notify.0.slack": {"ref": "team-chat"}},
    ),
    _pair(
        "rollout-steps",
        "give exactly one kind of notifier: webhook, slack",
        good={"spec.notify": []},
        bad={"spec.notify": [{"name": "nobody"}]},
    ),
    _pair(
        "rollout-steps",
        "tolerance must be at most maxDrop",
        good=_check(successRate={"tolerance": "5%", "maxDrop": 5}),
        bad=_check(successRate={"tolerance": "5.01%", "maxDrop": 5}),
    ),
    *(
        _pair(
            "rollout-steps",
            "tolerance must be at most maxIncrease",
            good=_check(**{kind: more | {"tolerance": "5%", "maxIncrease": 5}}),
            bad=_check(**{kind: more | {"tolerance": "5.01%", "maxIncrease": 5}}),
        )
        for kind, more in (
            ("cost", {}),
            ("toolFailures", {}),
            ("events", {"event": "refusal"}),
            ("llmCalls", {}),
        )
    ),
    _pair(
        "rollout-steps",
        "tolerance must be at most maxChange",
        good=_check(score={"name": "toxicity", "better": "lower", "tolerance": "9%", "maxChange": 10}),
        bad=_check(score={"name": "toxicity", "better": "lower", "tolerance": "10%", "maxChange": "9.99%"}),
    ),
    _pair(
        "rollout-steps",
        "a quantile must be above 0% and below 100%, such as 99%",
        good=_check(latencyQuantile={"quantile": "99.99%", "max": "3s"}),
        bad=_check(latencyQuantile={"quantile": 100, "max": "3s"}),
    ),
    _pair(
        "rollout-steps",
        "give at least one of max, min, maxIncrease, maxDecrease: without a limit there is nothing to judge",
        good=_check(promql={"query": QUERY, "maxDecrease": "5%"}),
        bad=_check(promql={"query": QUERY, "onFailure": "Rollback", "unit": "s"}),
    ),
    _pair(
        "rollout-steps",
        "min must be at most max, or no value would pass",
        good=_check(promql={"query": QUERY, "min": "-1.5", "max": -1}),
        bad=_check(promql={"query": QUERY, "min": 10, "max": "9.999999999"}),
    ),
    _pair(
        "rollout-steps",
        "falseRollback must be from 0.1% to 50%",
        good={"spec.analysis.errorBudget.falseRollback": "0.1%"},
        bad={"spec.analysis.errorBudget.falseRollback": "0.09%"},
    ),
    _pair(
        "rollout-steps",
        "falsePromotion must be from 0.1% to 50%",
        good={"spec.analysis.errorBudget.falsePromotion": 50},
        bad={"spec.analysis.errorBudget.falsePromotion": "50.01%"},
    ),
    _pair(
        "rollout-steps",
        "give atLeast and outOf together, or neither",
        good={"spec.analysis.failures": {"consecutive": 1}},
        bad={"spec.analysis.failures": {"outOf": 3}},
    ),
    _pair(
        "rollout-steps",
        "atLeast must be at most outOf, or it would never be reached",
        good={"spec.analysis.failures": {"atLeast": 4, "outOf": 4}},
        bad={"spec.analysis.failures": {"atLeast": 4, "outOf": 3}},
    ),
    _pair(
        "rollout-steps",
        "write at least 1s",
        good={"spec.analysis.failures.every": "1s"},
        bad={"spec.analysis.failures.every": "0s"},
    ),
    _pair(
        "route",
        "the arms' shares must add up to 10000 basis points",
        good={"spec.arms.0.share": 0, "spec.arms.1.share": 10_000},
        bad={"spec.arms.0.share": 501},
    ),
)
"""Rules on objects and lists."""

UPDATES = (
    _pair(
        "version",
        "an AgentVersion is immutable but for spec.replicas; make a new AgentVersion with a new spec.version",
        good={"spec.replicas": 3},
        bad={"spec.release.prompts.digest": OTHER_DIGEST},
    ),
    _pair(
        "rollout",
        "spec.agent never changes; make a Rollout for the other agent",
        good={"spec.version": "2.0.0"},
        bad={"spec.agent": "billing"},
    ),
    _pair(
        "gate",
        "an ApprovalGate's spec never changes; a new attempt gets a new gate",
        good={"metadata.labels": {"seen": "yes"}},
        bad={"spec.artifactDigest": OTHER_DIGEST},
    ),
)
"""Rules on changes of an object that exists."""

SCALARS: Mapping[str, tuple[object, ...]] = {
    "write a name of lower-case letters, digits and dashes, no dash first or last, such as golden": (
        "Golden",
        "-a",
        "a-",
        "a.b",
        "a b",
        "",
    ),
    "write an object's name: lower-case letters, digits, dots and dashes, such as support-evals": (
        "Evals",
        "-a",
        "a.",
        "a/b",
        "",
    ),
    "write a ConfigMap's key: letters, digits, dots and dashes, such as golden.yaml": (
        "a/b",
        "..",
        "a b",
        "",
    ),
    "write module:Class, such as shop.scorers:Polite": ("shop.scorers", "shop:", "shop:a b", "1a:B", ""),
    "write names and numbers with dots between them, such as label or choices.0.message.content": (
        "a..b",
        ".a",
        "a b",
        "$.a",
    ),
    "write a URL such as http://ledger.agent-rollouts:8090": ("ledger:8090", "http://a b", "ftp://ledger"),
    "write a path that begins with a slash, such as /v1/tasks": ("v1", "/a b", "/a?b", "/a#b", ""),
    "write a percentage from 0% to 100% with at most two decimals, such as 5% or 0.5%": (
        "150%",
        "5.555%",
        "-1%",
        "five",
        "100.01%",
        "5 %",
        "",
    ),
    "write the name of an environment variable in capitals, such as SYSTEM_PROMPT": (
        "system_prompt",
        "1ST",
        "SYSTEM-PROMPT",
        "",
    ),
    "write a percentage from 0% to 1000% with at most two decimals, such as 50% or 150%": (
        "1000.01%",
        "10000%",
        "5.555%",
        "-1%",
        "",
    ),
    'write US dollars with at most six decimals, in quotes, such as "0.05"': (
        "$2",
        "1000000",
        "0.0000001",
        "-1",
        "01",
        "",
    ),
    'write a number with at most 15 digits and nine decimals, in quotes, such as "0.85"': (
        "1e3",
        "+1",
        "01",
        "0.0000000001",
        "1000000000000000",
        "five",
        "-",
        "",
    ),
    "write a unit of letters, digits, spaces and %$/_.-, a letter, % or $ first, such as ms or tickets/h": (
        " s",
        "1",
        "s;",
        "µs",
        "",
    ),
    "write the score's name as the agent declares it: letters, digits, dots, dashes and underscores, such as toxicity": (
        "1st",
        "a b",
        "",
    ),
    "write a duration such as 90s, 15m or 1h30m": ("15", "1d", "1.5h", "30s1h", "15m ", "-5m", "PT5M"),
    "write a semantic version such as 1.2.0 or 1.2.0-rc1: three numbers, and after a dash lower-case letters and digits": (
        "1.2",
        "v1.2.0",
        "01.2.0",
        "1.2.0+a",
        "1.2.0-RC1",
        "latest",
    ),
    "write a digest as sha256: followed by 64 lower-case hexadecimal digits": (
        "a" * 64,
        "sha256:" + "A" * 64,
        "sha256:abc",
    ),
    "write at most 40 lower-case letters, digits and dashes, a letter first and no dash last, such as support": (
        "Support",
        "1st",
        "support-",
        "",
    ),
    "write the name of a header or cookie, without spaces or colons, such as x-user-id": (
        "x user",
        "x-user:",
        "",
    ),
    "write lower-case letters, digits and dashes, no dash first or last": ("Desk", "-desk", "desk_"),
    "write the bare name of a Prometheus counter, without labels or functions, such as orders_total": (
        'x{a="b"}',
        "rate(x[5m])",
        "9x",
    ),
    "write an http or https URL without user, query and fragment, such as http://llm.models.svc:8000/v1": (
        "llm.models.svc:8000/v1",
        "ftp://llm/v1",
        "http://user:password@llm/v1",
        "http://llm/v1?key=1",
        "http://llm/v1#a",
        "http://",
    ),
    "write lower-case letters, digits and dashes, no dash first or last, such as oncall": (
        "On-call",
        "-oncall",
        "oncall.signing-key",
        "../oncall",
        "https://hooks.example",
        "",
    ),
    "write lower-case letters, digits and dashes, no dash first or last, such as ci": (
        "CI",
        "-ci",
        "ci.key",
        "",
    ),
    "write an Ed25519 public key as PEM, as openssl pkey -pubout prints it": (
        PEM.replace("PUBLIC", "PRIVATE"),
        PEM.replace("\n", ""),
        PEM.replace("MCow", "MIow"),
        PEM.replace("ZuE=", "Zu=="),
        "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=",
        "",
    ),
    "write letters, digits and dashes, a letter first and no dash last, such as success": (
        "1st",
        "a b",
        "a-",
    ),
}
"""Rules on single values: the words of the refusal and values that earn it. What is good stands in BASES."""

BOUNDS: tuple[tuple[str, Mapping[str, Any], str], ...] = (
    ("rollout-steps", {"spec.beforeTraffic.0.eval.repeat": 21}, "should be less than or equal to 20"),
    ("rollout-steps", {"spec.beforeTraffic.0.eval.dataset": REMOVED}, "eval.dataset: Required value"),
    (
        "rollout-steps",
        {"spec.beforeTraffic.0.eval.minimumScore": REMOVED},
        "eval.minimumScore: Required value",
    ),
    ("rollout-steps", {"spec.beforeTraffic.0.signing": {}}, "signing.secret: Required value"),
    (
        "rollout-steps",
        {"spec.beforeTraffic.0.signing.configMap": "evals"},
        'unknown field "spec.beforeTraffic[0].signing.configMap"',
    ),
    ("rollout-steps", {"spec.beforeTraffic.1.replay.tasks": 0}, "should be greater than or equal to 1"),
    ("rollout-steps", {"spec.beforeTraffic.1.replay.tasks": 10_001}, "should be less than or equal to 10000"),
    ("rollout-steps", {"spec.beforeTraffic.1.replay.from": REMOVED}, "replay.from: Required value"),
    (
        "rollout-steps",
        {"spec.beforeTraffic.1.replay.journal": {}},
        "replay.journal.claim: Required value",
    ),
    (
        "rollout-steps",
        {"spec.beforeTraffic.1.replay.embedding.url": REMOVED},
        "replay.embedding.url: Required value",
    ),
    (
        "rollout-steps",
        {"spec.beforeTraffic.1.replay.embedding.url": ""},
        "should be at least 1 chars long",
    ),
    (
        "rollout-steps",
        {"spec.beforeTraffic.1.replay.embedding.model": REMOVED},
        "replay.embedding.model: Required value",
    ),
    ("rollout-steps", {"spec.beforeTraffic.1.replay.compare": "Meaning"}, "supported values"),
    ("rollout", {"spec.beforeTraffic": [_proof()["spec.beforeTraffic"][0]] * 2}, "Duplicate value"),
    (
        "rollout",
        {"spec.beforeTraffic": [{"name": f"n{n}", "eval": _DATASET} for n in range(9)]},
        "must have at most 8 items",
    ),
    ("rollout", {"spec": REMOVED}, "spec: Required value"),
    ("rollout", {"spec.version": REMOVED}, "spec.version: Required value"),
    ("rollout", {"spec.verison": "1.0.0"}, 'unknown field "spec.verison"'),
    ("rollout", {"spec.approval": {"quorom": 2}}, 'unknown field "spec.approval.quorom"'),
    ("rollout", {"spec.approval": {"quorum": 0}}, "should be greater than or equal to 1"),
    ("rollout", {"spec.approval": {"quorum": 6}}, "should be less than or equal to 5"),
    ("rollout", {"spec.approval": {"above": 150}}, "should be less than or equal to 100"),
    ("rollout", {"spec.approval": {"above": -1}}, "should be greater than or equal to 0"),
    ("rollout", {"spec.approval": {"above": 5.5}}, "must be of type"),
    ("rollout", {"spec.approval": {"above": True}}, "must be of type"),
    ("rollout", {"spec.approval": {"separationOfDuties": "no"}}, "must be of type boolean"),
    ("rollout", {"spec.rollback": {"sessions": "kill"}}, 'supported values: "drain", "evict"'),
    ("rollout", {"spec.analysis": {"onNoEvidence": "Pass"}}, 'supported values: "Hold", "Pause", "Rollback"'),
    ("rollout", {"spec.analysis": {"preset": "lax"}}, "supported values"),
    ("rollout", {"spec.analysis": {"mode": "bayes"}}, "supported values"),
    ("rollout", {"spec.analysis": {"failures": {"consecutive": 0}}}, "should be greater than or equal to 1"),
    ("rollout", {"spec.analysis": {"minimumSamples": 20}}, 'unknown field "spec.analysis.minimumSamples"'),
    ("rollout-steps", {"spec.analysis.checks.0.weight": 0}, "should be greater than or equal to 1"),
    ("rollout-steps", {"spec.analysis.checks.0.weight": 101}, "should be less than or equal to 100"),
    ("rollout-steps", {"spec.analysis.checks.11.score.name": REMOVED}, "score.name: Required value"),
    ("rollout-steps", {"spec.analysis.checks.11.score.better": REMOVED}, "score.better: Required value"),
    ("rollout-steps", {"spec.analysis.checks.9.events.event": "sneeze"}, "supported values"),
    ("rollout-steps", {"spec.analysis.checks.6.promql.query": REMOVED}, "promql.query: Required value"),
    ("rollout-steps", {"spec.analysis.checks.6.promql.query": ""}, "should be at least 1 chars long"),
    ("rollout-steps", {"spec.analysis.checks.6.promql.query": "x" * 4097}, "may not be more than 4096"),
    (
        "rollout-steps",
        {"spec.analysis.checks.6.promql.onFailure": "Pause"},
        'supported values: "Hold", "Rollback"',
    ),
    ("rollout-steps", {"spec.analysis.checks.6.promql.max": 2.5}, "must be of type"),
    ("rollout-steps", {"spec.analysis.checks.6.promql.max": 10**15}, "should be less than or equal to"),
    ("rollout-steps", {"spec.analysis.checks.6.promql.min": -(10**15)}, "should be greater than or equal to"),
    ("rollout-steps", {"spec.analysis.breakers.0.cost.maxPerTask": 0.25}, "must be of type"),
    ("rollout-steps", {"spec.analysis.breakers.1.name": "spend"}, "Duplicate value"),
    ("rollout", {"spec.monitor": {"minimumSessions": 19}}, "should be greater than or equal to 20"),
    ("rollout", {"spec.monitor": {"tools": "5%"}}, 'unknown field "spec.monitor.tools"'),
    ("rollout-steps", {"spec.notify.1.name": "oncall"}, "Duplicate value"),
    ("rollout-steps", {"spec.notify.1.on": ["Promoted", "Promoted"]}, "Duplicate value"),
    ("rollout-steps", {"spec.notify.1.on": []}, "should have at least 1 items"),
    ("rollout-steps", {"spec.notify.1.on": ["Exploded"]}, "supported values"),
    ("rollout-steps", {"spec.notify.0.webhook": {}}, "webhook.ref: Required value"),
    ("rollout-steps", {"spec.notify.0.webhook.url": "https://hooks.example"}, "unknown field"),
    ("rollout-steps", {"spec.notify.0.webhook.ref": "a" * 64}, "may not be more than 63"),
    (
        "rollout",
        {"spec.notify": [{"name": f"n{number}", "slack": {"ref": "team"}} for number in range(9)]},
        "must have at most 8 items",
    ),
    ("rollout", {"spec.proposals": {"autostart": True}}, 'unknown field "spec.proposals.autostart"'),
    ("rollout", {"spec.proposals": {"autoStart": "yes"}}, "must be of type boolean"),
    ("rollout", {"spec.router": {"kind": "Nginx"}}, 'supported values: "Envoy"'),
    ("rollout", {"spec.agent": "a" * 41}, "may not be more than 40"),
    ("rollout", {"spec.strategy": {"steps": []}}, "should have at least 1 items"),
    (
        "rollout",
        {"spec.strategy": {"steps": [{"share": n} for n in range(1, 22)]}},
        "must have at most 20 items",
    ),
    ("rollout", {"spec.strategy": None, "spec.paused": "yes"}, "must be of type boolean"),
    ("rollout-steps", {"spec.analysis.checks.1.name": "success"}, "Duplicate value"),
    ("rollout-manual", {"spec.strategy.manual.shares.1.version": "1.0.0"}, "Duplicate value"),
    ("version", {"spec.release.tools": REMOVED}, "spec.release.tools: Required value"),
    ("version", {"spec.release.model.parameters": {"temperature": 0.2}}, "must be of type string"),
    (
        "version",
        {"spec.release.model.parameters": {f"p{n}": "1" for n in range(33)}},
        "must have at most 32 items",
    ),
    ("version", {"spec.replicas": -1}, "should be greater than or equal to 0"),
    ("version", {"spec.replicas": 1001}, "should be less than or equal to 1000"),
    ("version", {"spec.lineage.author": "Robot"}, 'supported values: "Person", "Agent"'),
    ("version", {"spec.lineage.rationale": "x" * 4097}, "may not be more than 4096"),
    ("gate", {"spec.diff": "x" * 8193}, "may not be more than 8192"),
    ("version", {"spec.lineage.costUsd": 0.09}, "must be of type"),
    ("version", {"spec.lineage.evidence": ["x"] * 17}, "must have at most 16 items"),
    ("version", {"spec.template.spec": REMOVED}, "spec.template.spec: Required value"),
    ("version", {"spec.template": {"containers": []}}, 'unknown field "spec.template.containers"'),
    ("version", {"spec.template.spec.containers": []}, "should have at least 1 items"),
    (
        "version",
        {"spec.template.spec.containers.0.image": REMOVED},
        "spec.template.spec.containers[0].image: Required value",
    ),
    ("version", {"spec.template.spec.hostNetwrok": True}, 'unknown field "spec.template.spec.hostNetwrok"'),
    (
        "version",
        {"spec.template.spec.containers.0.cmd": []},
        'unknown field "spec.template.spec.containers[0].cmd"',
    ),
    ("version-of-deployment", {"spec.deploymentRef.name": ""}, "should be at least 1 chars long"),
    ("route", {"spec.port": 9_999}, "should be greater than or equal to 10000"),
    ("route", {"spec.offset": 10_000}, "should be less than 10000"),
    ("route", {"spec.arms": []}, "should have at least 1 items"),
    ("gate", {"spec.expiresAt": "tomorrow"}, "must be of type date-time"),
)
"""Base, change and a piece of the refusal for what the schema itself bounds."""


def rules_of(definition: Object) -> Iterator[tuple[str, str]]:
    """(path, message) of every CEL rule of a CustomResourceDefinition; ``*`` stands for any item."""
    yield from _rules(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"], "")


def _rules(schema: Object, path: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path, rule["message"]
    children = dict(schema.get("properties", {}))
    children |= {"*": schema["items"]} if "items" in schema else {}
    children |= {"*": schema["additionalProperties"]} if "additionalProperties" in schema else {}
    for name, child in children.items():
        yield from _rules(child, f"{path}.{name}" if path else name)
