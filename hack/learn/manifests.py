"""What is applied: versions that differ in one prompt, a Rollout that wants proofs, a trial, and the author's stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from agentrollouts.improver.revision import PROMPT_FILE
from agentrollouts.release.documents import PromptsDocument
from agents.author.scripts import SCRIPTS
from hack.demo import manifests
from hack.demo.manifests import AGENT
from support_agent.agent import instructions_of
from support_agent.release import Sample, agent_version

FIRST, PROPOSED, WORSE, GAMING = "1.0.0", "1.0.1-p1", "1.1.0", "1.2.0"
"""The version that begins, what the improver calls its proposal, and two that a person makes of refused prompts."""
VARIABLE: Final = "SUPPORT_SYSTEM_PROMPT"
WEAK: Final = instructions_of("silently-worse")
"""The prompt that begins: friendly, and wrong on about three questions of ten."""
GOLDEN: Final = Path(__file__).resolve().parents[2] / "agents" / "support" / "evals" / "golden.yaml"
EVALS, TOKEN = "support-evals", "agent-rollouts-ledger"
TRIAL, AUTHOR = "support-trial", "author"
PRICES: Final = {model: {"input": "7", "output": "35"} for model in SCRIPTS}
"""US dollars for a million tokens, as a large model's: an author who insists has two turns, then the budget ends it."""
HOLDOUT = 2_000
"""Basis points of the tasks that the improver never sees."""
BEFORE_TRAFFIC: Final[list[dict[str, Any]]] = [
    {
        "name": "golden",
        "timeout": "5m",
        "eval": {
            "dataset": {"configMap": EVALS, "key": GOLDEN.name},
            "minimumScore": "80%",
            "baseline": {"stable": True},
            "maximumRegression": "10%",
            "path": "/v1/tasks",
            "answer": "label",
        },
    },
    {
        "name": "replayed",
        "timeout": "5m",
        "replay": {
            "from": {"ledger": {"secret": TOKEN, "key": "reader"}},
            "outcome": "Success",
            "tasks": 200,
            "maximumDisagreement": "8%",
            "path": "/v1/tasks",
            "answer": "label",
        },
    },
]
"""Thirty known questions first; then what users asked and were right to be content with."""


def version(
    semver: str, prompt: str, *, parent: str = "", rationale: str = "First release."
) -> dict[str, Any]:
    """The sample agent with this prompt, and nothing else that differs."""
    manifest = agent_version(Sample(version=semver, profile="good", parent=parent, rationale=rationale))
    spec = manifest["spec"]
    spec["replicas"] = 2
    spec["release"]["prompts"] = {
        "digest": PromptsDocument(files={PROMPT_FILE: prompt}).part_digest,
        "source": f"env {VARIABLE}",
    }
    _container(spec["template"])["env"].append({"name": VARIABLE, "value": prompt})
    return manifest


def prompt_of(manifest: Mapping[str, Any]) -> str:
    """The prompt of a version. These have no ``$`` that would be written twice."""
    entries = _container(manifest["spec"]["template"])["env"]
    return next(str(entry["value"]) for entry in entries if entry["name"] == VARIABLE)


def rollout(semver: str, **spec: Any) -> dict[str, Any]:
    """The agent's Rollout, which lets the improver begin what it proposes; with short soaks, as the first demo's."""
    steps = [{"share": "20%", "soak": "8s"}, {"share": "50%", "soak": "8s"}]
    return manifests.rollout(
        semver,
        **{
            "strategy": {"steps": steps},
            "beforeTraffic": BEFORE_TRAFFIC,
            "proposals": {"autoStart": True, "promptVariable": VARIABLE},
            **spec,
        },
    )


def dataset() -> dict[str, Any]:
    """The known questions, as ``kubectl create configmap --from-file`` makes it."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": EVALS},
        "data": {GOLDEN.name: GOLDEN.read_text(encoding="utf-8")},
    }


def tokens(*, agent: str, reader: str) -> dict[str, Any]:
    """The Secret beside the agent: its own token, and the one that replays read recorded tasks with."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": TOKEN},
        "stringData": {"agent": agent, "reader": reader},
    }


def surroundings(namespace: str, *, agent: str, reader: str) -> list[dict[str, Any]]:
    """Everything but the agent itself and its users; ``agent`` and ``reader`` are tokens of the ledger."""
    secret = tokens(agent=agent, reader=reader)
    return [*manifests.people(namespace), secret, dataset(), *author(), *trial(namespace)]


def recordings(namespace: str) -> str:
    """Where a run of the improver serves recorded results, as the chart's notes say it."""
    which = sha256(f"{namespace}/{AGENT}".encode()).hexdigest()[:8]
    return f"http://agent-rollouts-improver-{which}.agent-rollouts:8199"


def trial(namespace: str) -> list[dict[str, Any]]:
    """The agent in replay mode, which has no users. It is the first version's: the questions it errs on are that version's."""
    template = version(FIRST, WEAK)["spec"]["template"]
    template["spec"]["terminationGracePeriodSeconds"] = 5
    container = _container(template)
    for key in ("lifecycle", "livenessProbe"):
        del container[key]
    container["readinessProbe"]["periodSeconds"] = 1
    container["env"] += [
        {"name": "SUPPORT_TRIAL", "value": "true"},
        {"name": "AGENT_REPLAY", "value": "1"},
        {"name": "AGENT_REPLAY_URL", "value": recordings(namespace)},
        {"name": "AGENT_SAFE_TOOLS", "value": "lookup_order,search_faq"},
        {"name": "SUPPORT_LATENCY_MS", "value": "0"},
        {"name": "AGENT_VERSION", "value": FIRST},
    ]
    return _served(TRIAL, template["spec"])


def author() -> list[dict[str, Any]]:
    """The script that plays the model which writes prompts."""
    nobody = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {
        "name": AUTHOR,
        "image": "agent-rollouts/author:dev",
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return _served(
        AUTHOR, {"securityContext": nobody, "enableServiceLinks": False, "containers": [container]}
    )


def chart_values(namespace: str, model: str) -> dict[str, object]:
    """The ledger with a holdout, and the improver for this namespace's agent, with one of the scripts for a model."""
    return {
        "ledger": {
            "enabled": True,
            "persistence": {"enabled": False},
            "holdout": f"{HOLDOUT / 100:g}%",
        },
        "improver": {
            "enabled": True,
            # Once a year: a run is begun by hand here.
            "schedule": "17 3 1 1 *",
            "rollouts": [
                {
                    "namespace": namespace,
                    "name": AGENT,
                    "trialURL": f"http://{TRIAL}.{namespace}:8080/v1/trial",
                }
            ],
            "model": {"baseURL": f"http://{AUTHOR}.{namespace}:8080/v1", "name": model, "prices": PRICES},
            "ledger": {
                "url": "http://agent-rollouts-ledger.agent-rollouts:8090",
                "existingSecret": "agent-rollouts-ledger-tokens",
            },
        },
    }


def users(*, rate: float, seconds: int) -> dict[str, Any]:
    """The users of the first demo, who want to know where their order is or want their money back."""
    pod = manifests.users(rate=rate, seconds=seconds)
    pod["spec"]["containers"][0]["args"] += ["--about", "status,refund"]
    return pod


def _container(template: Mapping[str, Any]) -> dict[str, Any]:
    (container,) = template["spec"]["containers"]
    found: dict[str, Any] = container
    return found


def _served(name: str, pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One pod, and a Service of its name at port 8080."""
    labels = {"app": name}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": dict(pod)},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "labels": labels},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 8080, "targetPort": "http"}]},
        },
    ]
