"""Settings from the environment; every one has a default that is right in the chart's pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentrollouts.dataplane.bootstrap import BootstrapSettings
from agentrollouts.dataplane.listeners import ListenerSettings


@dataclass(frozen=True, slots=True)
class Settings:
    """``folder`` is the volume shared with Envoy; ``namespaces`` empty means all."""

    folder: Path
    namespaces: tuple[str, ...]
    health_port: int
    stats_port: int
    bind_address: str
    access_log: bool
    shadows: bool
    max_heap_bytes: int

    @property
    def admin_socket(self) -> Path:
        """Envoy's admin interface: a file in the shared volume."""
        return self.folder / "admin.sock"

    @property
    def listeners(self) -> ListenerSettings:
        """What all listeners share."""
        return ListenerSettings(self.folder, self.bind_address, self.access_log, self.shadows)

    @property
    def bootstrap(self) -> BootstrapSettings:
        """What Envoy starts with."""
        return BootstrapSettings(
            self.folder,
            self.admin_socket,
            stats_port=self.stats_port,
            stats_address=self.bind_address,
            max_heap_bytes=self.max_heap_bytes,
        )


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Read the settings. Raises ValueError naming the variable that can't be read."""
    return Settings(
        folder=Path(environment.get("XDS_DIR", "/var/run/agent-rollouts/xds")),
        namespaces=tuple(
            part.strip() for part in environment.get("WATCH_NAMESPACES", "").split(",") if part.strip()
        ),
        health_port=_number(environment, "HEALTH_PORT", 9903),
        stats_port=_number(environment, "STATS_PORT", 9901),
        bind_address=environment.get("BIND_ADDRESS", "0.0.0.0"),  # noqa: S104  for the whole cluster
        access_log=_switch(environment, "ACCESS_LOG"),
        shadows=_switch(environment, "SHADOWS"),
        max_heap_bytes=_number(environment, "ENVOY_MAX_HEAP_MIB", 400) * 1024 * 1024,
    )


def _switch(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").lower() in ("1", "true", "yes")


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, str(default))
    if not text.isdigit():
        raise ValueError(f"expected a whole number in {name}, got {text!r}")
    return int(text)
