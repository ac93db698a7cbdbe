"""Settings from flags and the environment; every one has a default that is right in the chart's pod."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "AGENT_ROLLOUTS_"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
JOB_IMAGE = "agent-rollouts/cli:dev"


@dataclass(frozen=True, slots=True)
class RouterSettings:
    """Where the router pods are and how they are found."""

    namespace: str = "agent-rollouts"
    labels: Mapping[str, str] = field(default_factory=dict)
    domain: str = "cluster.local"


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """The Lease, and who we are. ``enabled`` False: nobody else acts on these namespaces."""

    enabled: bool = True
    namespace: str = "agent-rollouts"
    name: str = "agent-rollouts-operator"
    identity: str = ""


@dataclass(frozen=True, slots=True)
class AdvisorSettings:
    """The endpoint for Rollouts with an advisor that name none, and the key for it. Empty: none, so nothing is asked there."""

    url: str = ""
    api_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """The task ledger. ``url`` empty: there is none. ``token_file`` is the operator's, None: the ledger asks for no token.

    ``agent_secret`` is the name of the Secret that agents find theirs in, each in its own namespace; empty: they need none.
    """

    url: str = ""
    token_file: Path | None = None
    agent_secret: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """``kubeconfig`` None: the pod's own service account. ``namespaces`` empty: all. ``health_port`` 0: no server."""

    kubeconfig: Path | None = None
    prometheus: str = ""
    namespaces: tuple[str, ...] = ()
    lease: LeaseSettings = field(default_factory=LeaseSettings)
    router: RouterSettings = field(default_factory=RouterSettings)
    advisor: AdvisorSettings = field(default_factory=AdvisorSettings)
    destinations: Path | None = None
    """Folder of the Secret with the destinations of notices; None: nothing is sent anywhere."""
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    job_image: str = JOB_IMAGE
    """The image of Jobs before traffic that name none: the command line's."""
    policy_prefix: str = "agent-rollouts"
    require_policy: bool = True
    health_port: int = 8080
    log_level: str = "info"
    drain_seconds: float = 10.0

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the validating admission policies that vouch for approvers."""
        return tuple(f"{self.policy_prefix}-{kind}" for kind in ("approvalgates", "rollouts"))


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str] | None = None) -> None:
    """The flags of ``run``. Each one's default is the environment variable AGENT_ROLLOUTS_<FLAG>, if it is set."""
    env = os.environ if environment is None else environment

    def flag(name: str, default: str, text: str) -> None:
        variable = PREFIX + name.upper().replace("-", "_")
        parser.add_argument(f"--{name}", default=env.get(variable, default), help=f"{text} (${variable})")

    home = env.get("POD_NAMESPACE", "agent-rollouts")
    flag("kubeconfig", "", "kubeconfig file; empty: the service account of the pod")
    flag(
        "prometheus", env.get(f"{PREFIX}PROMETHEUS_URL", ""), "URL of the Prometheus that scrapes the agents"
    )
    flag("namespaces", "", "namespaces to look after, separated by commas; empty: all")
    flag("lease-namespace", home, "namespace of the Lease")
    flag("lease-name", "agent-rollouts-operator", "name of the Lease")
    flag("router-namespace", home, "namespace of the router pods")
    flag("router-instance", "agent-rollouts", "app.kubernetes.io/instance label of the router pods")
    flag("cluster-domain", "cluster.local", "domain of the cluster's Service names")
    flag("advisor-url", "", "endpoint of the language model that Rollouts may ask; empty: none")
    flag("destinations", "", "folder with the destinations of notices, one file each; empty: none")
    flag("ledger-url", "", "address of the task ledger; empty: none")
    flag("ledger-token-file", "", "file with the operator's token for the ledger; empty: it asks for none")
    flag("ledger-agent-secret", "", "Secret in each agent's namespace with its token for the ledger")
    flag("job-image", JOB_IMAGE, "image of Jobs before traffic; it needs the extra `evals`")
    flag("policy-prefix", "agent-rollouts", "what the names of the admission policies begin with")
    flag("require-policy", "true", "true: without the admission policies in force no approval counts")
    flag("health-port", "8080", "port of /healthz, /readyz and /metrics; 0: none")
    flag("log-level", "info", "debug, info, warning or error")
    parser.add_argument("--no-leader-election", action="store_true", help="act at once, without a Lease")


def from_arguments(parsed: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from parsed flags. Raises ValueError that names the flag, what was expected and what was given."""
    env = os.environ if environment is None else environment
    level = parsed.log_level.lower()
    if level not in ("debug", "info", "warning", "error"):
        raise ValueError(f"expected debug, info, warning or error for --log-level; got {parsed.log_level!r}")
    return Settings(
        kubeconfig=Path(parsed.kubeconfig) if parsed.kubeconfig else None,
        prometheus=parsed.prometheus,
        namespaces=_list(parsed.namespaces),
        lease=LeaseSettings(
            enabled=not parsed.no_leader_election,
            namespace=parsed.lease_namespace,
            name=parsed.lease_name,
            identity=env.get("POD_NAME", ""),
        ),
        router=RouterSettings(
            namespace=parsed.router_namespace,
            labels={
                "app.kubernetes.io/component": "router",
                "app.kubernetes.io/instance": parsed.router_instance,
            },
            domain=parsed.cluster_domain,
        ),
        # NB: never a flag: every process of the machine can read those.
        advisor=AdvisorSettings(
            _url("--advisor-url", parsed.advisor_url), env.get(f"{PREFIX}ADVISOR_API_KEY", "")
        ),
        destinations=Path(parsed.destinations) if parsed.destinations else None,
        ledger=LedgerSettings(
            _url("--ledger-url", parsed.ledger_url, "http://agent-rollouts-ledger.agent-rollouts:8090"),
            Path(parsed.ledger_token_file) if parsed.ledger_token_file else None,
            _object("--ledger-agent-secret", parsed.ledger_agent_secret),
        ),
        job_image=parsed.job_image,
        policy_prefix=parsed.policy_prefix,
        require_policy=_truth("--require-policy", parsed.require_policy),
        health_port=_number("--health-port", parsed.health_port),
        log_level=level,
    )


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Settings from a command line."""
    parser = argparse.ArgumentParser(prog="python -m agentrollouts run")
    add_arguments(parser, environment)
    return from_arguments(parser.parse_args(list(arguments)), environment)


def _list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _url(name: str, text: str, example: str = "http://llm.models.svc:8000/v1") -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError(f"expected an http or https URL for {name}, such as {example}; got {text!r}")
    return text


def _object(name: str, text: str) -> str:
    if text and not _NAME.fullmatch(text):
        raise ValueError(
            f"expected an object's name for {name}, of lower-case letters, digits, dashes and dots; got {text!r}"
        )
    return text


def _truth(name: str, text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"expected true or false for {name}; got {text!r}")
    return text.lower() == "true"


def _number(name: str, text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise ValueError(f"expected a port number for {name}; got {text!r}")
    return int(text)
