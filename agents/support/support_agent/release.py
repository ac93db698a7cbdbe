"""A release of this agent as an AgentVersion manifest: `python -m support_agent.release --version 2.0.0 --profile better`.

Four of the five digests are computed from what this package ships: the prompt, the tools as the model sees them, the
records, and the model's parameters. The fifth, of the code, is the image's, which is known once it is built: `--image`
and `--code-digest` name it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any, Final

from pydantic_ai import Tool

from support_agent.agent import instructions_of
from support_agent.profiles import PROFILES, Profile
from support_agent.tools import TOOL_NAMES, TOOLS

IMAGE: Final = "agent-rollouts/support-agent:dev"
DATA_FILES: Final = ("faq.json", "orders.csv")
COST_CAP_USD: Final = 0.01
"""A little above what the dearest usual task costs, so that the reported cost fractions use the scale they have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One of the sample versions and what its author says about it."""

    version: str
    profile: str
    parent: str = ""
    rationale: str = "First release."


SAMPLES: Final = (
    Sample(version="1.0.0", profile="good"),
    Sample(
        version="2.0.0",
        profile="better",
        parent="1.0.0",
        rationale="The prompt asks to read the record twice.",
    ),
    Sample(
        version="2.1.0",
        profile="silently-worse",
        parent="2.0.0",
        rationale="A shorter prompt, for shorter answers.",
    ),
    Sample(
        version="2.2.0",
        profile="slow-and-dear",
        parent="2.0.0",
        rationale="A larger model that thinks for longer.",
    ),
    Sample(
        version="2.3.0", profile="crashing", parent="2.0.0", rationale="A new release of the agent framework."
    ),
)


def agent_version(sample: Sample, *, image: str = IMAGE, code_digest: str = "") -> dict[str, Any]:
    """The manifest. Without a code digest the image's name stands in for what it holds."""
    profile = PROFILES[sample.profile]
    lineage = {"parent": sample.parent} if sample.parent else {}
    return {
        "apiVersion": "agentrollouts.io/v1alpha1",
        "kind": "AgentVersion",
        "metadata": {"name": f"support-{sample.version}"},
        "spec": {
            "agent": "support",
            "version": sample.version,
            "release": {
                "code": {"digest": code_digest or _digest(image), "image": image},
                "model": _model(profile),
                "prompts": {
                    "digest": _digest({"system": instructions_of(profile.name)}),
                    "source": f"prompts/{profile.name}.md",
                },
                "tools": {"digest": _digest(_tool_manifest()), "names": list(TOOL_NAMES)},
                "data": {"digest": _digest(_data()), "source": "data/"},
            },
            "replicas": 1,
            "lineage": {**lineage, "rationale": sample.rationale},
            "template": _template(profile, image),
        },
    }


def _model(profile: Profile) -> dict[str, Any]:
    words = {
        name: f"{value:g}" if isinstance(value, float) else value
        for name, value in asdict(profile).items()
        if value or name == "wrong_percent"
    }
    part = {"provider": "offline", "name": f"offline-{words.pop('name')}", "parameters": words}
    return {"digest": _digest(part), **part}


def _tool_manifest() -> list[dict[str, Any]]:
    definitions = (Tool(tool).tool_def for tool in TOOLS)
    return [
        {"name": each.name, "description": each.description, "parameters": each.parameters_json_schema}
        for each in definitions
    ]


def _data() -> dict[str, str]:
    folder = files("support_agent") / "data"
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in DATA_FILES}


def _template(profile: Profile, image: str) -> dict[str, Any]:
    return {
        "spec": {
            # Longer than the drain of open requests and the wait for the last scrape together.
            "terminationGracePeriodSeconds": 60,
            # A Service named `support` would set SUPPORT_PORT, which is a setting of ours.
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "agent",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "env": [
                        {"name": "SUPPORT_PROFILE", "value": profile.name},
                        {"name": "AGENT_COST_CAP_USD", "value": f"{COST_CAP_USD:g}"},
                    ],
                    "ports": [
                        {"name": "http", "containerPort": 8080},
                        {"name": "metrics", "containerPort": 9464},
                    ],
                    "readinessProbe": {
                        "httpGet": {"path": "/readyz", "port": "http"},
                        "periodSeconds": 2,
                        "timeoutSeconds": 5,
                    },
                    "livenessProbe": {
                        "httpGet": {"path": "/healthz", "port": "http"},
                        "periodSeconds": 10,
                        "timeoutSeconds": 5,
                    },
                    # The router takes a second to hear that a pod goes; until then it must still be answered.
                    "lifecycle": {"preStop": {"exec": {"command": ["sleep", "3"]}}},
                    "resources": {
                        "requests": {"cpu": "50m", "memory": "128Mi"},
                        "limits": {"memory": "384Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        }
    }


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def main(arguments: list[str] | None = None) -> int:
    """Print one manifest as JSON, which is YAML too: pipe it into `kubectl apply -f -`."""
    parser = argparse.ArgumentParser(prog="python -m support_agent.release", description=__doc__)
    parser.add_argument("--version", required=True, help="semantic version")
    parser.add_argument("--profile", required=True, choices=sorted(PROFILES))
    parser.add_argument("--parent", default="", help="version this one was made from")
    parser.add_argument("--rationale", default="", help="why it should be better")
    parser.add_argument("--image", default=IMAGE)
    parser.add_argument("--code-digest", default="", help="sha256:… of the image")
    given = parser.parse_args(arguments)
    sample = Sample(
        version=given.version, profile=given.profile, parent=given.parent, rationale=given.rationale
    )
    print(json.dumps(agent_version(sample, image=given.image, code_digest=given.code_digest), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
