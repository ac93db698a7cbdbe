"""Where things live and which versions are used: the only module that reads the process environment for it.

Three places, by lifetime. The repository's `.state` holds what belongs to this checkout (kubeconfig, logs).
The cache outlives checkouts (built programs, images). The machine-wide folders of the native provider hold
what can exist only once on a machine, so that any checkout can find and clear what another one left.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CLUSTER_NAME = "agent-rollouts"
KIND_NODE_IMAGE = (
    "kindest/node:v1.36.1@sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5"
)
"""The node image that the pinned kind was released with."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Folders and choices of one invocation; built once at the start and handed down."""

    repository: Path
    state: Path
    cache: Path
    provider: str
    kind_node_image: str
    user_kubeconfig: str

    @property
    def kubeconfig(self) -> Path:
        """The only kubeconfig the project's own clusters are ever reached through."""
        return self.state / "kubeconfig"

    @property
    def logs(self) -> Path:
        """One file per step of the last run."""
        return self.state / "logs"

    @property
    def tools_source(self) -> Path:
        """One Go module per family of programs."""
        return self.repository / "hack" / "tools"


def read_settings(environment: Mapping[str, str], *, repository: Path = REPOSITORY) -> Settings:
    """The settings of this checkout; every folder can be moved by an environment variable."""
    state = Path(environment.get("AGENT_ROLLOUTS_STATE") or repository / ".state")
    home = Path(environment.get("HOME") or "/root")
    cache = Path(environment.get("AGENT_ROLLOUTS_CACHE") or home / ".cache" / "agent-rollouts")
    return Settings(
        repository=repository,
        state=state,
        cache=cache,
        provider=environment.get("CLUSTER") or "auto",
        kind_node_image=environment.get("KIND_NODE_IMAGE") or KIND_NODE_IMAGE,
        user_kubeconfig=environment.get("KUBECONFIG", ""),
    )


def kubernetes_version(settings: Settings) -> str:
    """The Kubernetes release, such as `v1.36.3`, from the module that builds it: one place to change it."""
    text = (settings.tools_source / "kubernetes" / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"^\s*(?:require\s+)?k8s\.io/kubernetes (v\S+)", text, re.MULTILINE)
    if found is None:
        message = "hack/tools/kubernetes/go.mod should require k8s.io/kubernetes at a version, and does not"
        raise ValueError(message)
    return found.group(1)


def child_environment(settings: Settings, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of child processes: as ours, but with the project's kubeconfig and Helm folders only.

    `kubectl`, `helm` and `kind` fall back to files in the user's home where these are unset, so they are
    always set.
    """
    helm = settings.state / "helm"
    environment = dict(os.environ)
    environment.update(
        KUBECONFIG=str(settings.kubeconfig),
        KUBECACHEDIR=str(settings.state / "kubectl-cache"),
        HELM_CACHE_HOME=str(helm / "cache"),
        HELM_CONFIG_HOME=str(helm / "config"),
        HELM_DATA_HOME=str(helm / "data"),
        HELM_KUBECONTEXT="",
    )
    environment.update(extra or {})
    return environment
