"""Which provider: what was found on the machine, and a pure choice from it that can explain itself."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.commands import attempt
from hack.cluster.errors import ClusterError, NoProviderError
from hack.cluster.providers.existing import Existing
from hack.cluster.providers.kind import Kind
from hack.cluster.providers.native import Native
from hack.cluster.providers.provider import Provider
from hack.cluster.settings import Settings

ENGINES = ("docker", "podman")
NAMES = ("auto", "kind", "native", "existing")


@dataclass(frozen=True, slots=True)
class Findings:
    """What decides: `engine` is the one that answers, not one that is merely installed."""

    engine: str | None
    system: str
    root: bool

    def describe(self) -> str:
        """For the message that says why nothing can work."""
        engine = (
            f"{self.engine} answers" if self.engine else "neither `docker info` nor `podman info` answers"
        )
        return f"{engine}; the system is {self.system}; this user is {'' if self.root else 'not '}root"


def _answers(engine: str) -> bool:
    """Whether an engine answers under its own name: podman's stand-in for docker isn't docker to kind."""
    if attempt([engine, "info"], timeout=20).returncode != 0:
        return False
    return engine != "docker" or attempt([engine, "--version"]).stdout.startswith("Docker version")


def look() -> Findings:
    """Ask the machine; a docker client without its engine answers `docker --version`, not `docker info`."""
    engine = next((name for name in ENGINES if _answers(name)), None)
    return Findings(engine=engine, system=platform.system(), root=os.geteuid() == 0)


def choose(asked: str, findings: Findings) -> str:
    """The provider's name; raises with what to install or change where the asked one, or any, cannot work."""
    if asked not in NAMES:
        raise ClusterError(f"CLUSTER should be one of {', '.join(NAMES)}, and is `{asked}`")
    native_works = findings.system == "Linux" and findings.root
    if asked == "existing" or (asked == "auto" and findings.engine):
        return "existing" if asked == "existing" else "kind"
    if asked == "kind" and findings.engine:
        return "kind"
    if asked in {"native", "auto"} and native_works:
        return "native"
    raise NoProviderError(
        f"No way to make a cluster here (CLUSTER={asked}): {findings.describe()}. Do one of these: start "
        "docker or podman (then kind is used); on Linux run as root (then Kubernetes runs as plain "
        "processes); or use a cluster of yours with CLUSTER=existing KUBECONFIG=/path/to/kubeconfig."
    )


def _memory(settings: Settings) -> Path:
    return settings.state / "provider"


def asked_or_remembered(settings: Settings) -> str:
    """What was asked for; where nothing was, the provider of the cluster that is up.

    Otherwise a container engine started meanwhile would hide a native cluster from `down` and `status`.
    """
    path = _memory(settings)
    if settings.provider == "auto" and path.exists():
        return path.read_text(encoding="utf-8").strip()
    return settings.provider


def refuse_second(settings: Settings, name: str) -> None:
    """One checkout, one cluster: both would be reached through one kubeconfig, and one would be forgotten."""
    path = _memory(settings)
    other = path.read_text(encoding="utf-8").strip() if path.exists() else name
    if name not in {other, "existing"}:
        raise ClusterError(
            f"This checkout has a {other} cluster, and a {name} one is asked for: "
            f"`make cluster-down CLUSTER={other}` first; where that one is gone with its engine, delete {path}."
        )


def remember(settings: Settings, name: str) -> None:
    """Note which provider's cluster is up; an existing one is asked for anew each time."""
    if name != "existing":
        _memory(settings).write_text(f"{name}\n", encoding="utf-8")


def forget(settings: Settings) -> None:
    """Note that no cluster of ours is up."""
    _memory(settings).unlink(missing_ok=True)


def provider_of(settings: Settings, findings: Findings | None = None) -> Provider:
    """The provider this invocation uses."""
    found = findings or look()
    name = choose(asked_or_remembered(settings), found)
    if name == "existing":
        return Existing(settings, engine=found.engine)
    if name == "kind" and found.engine is not None:
        return Kind(settings, engine=found.engine)
    return Native(settings)
