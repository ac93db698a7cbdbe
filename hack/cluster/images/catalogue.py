"""The project's images: what each is built from. Names and the tag `dev` are what the chart's values say."""

from dataclasses import dataclass
from pathlib import PurePosixPath

BASE = "docker.io/library/python:3.13-slim"


@dataclass(frozen=True, slots=True)
class Image:
    """One image: a Dockerfile of the repository, whose build context is always the repository's root."""

    name: str
    dockerfile: PurePosixPath
    target: str = ""

    @property
    def reference(self) -> str:
        """The full name, as container runtimes resolve the short one."""
        return f"docker.io/agent-rollouts/{self.name}:dev"


IMAGES = (
    Image("operator", PurePosixPath("Dockerfile"), target="operator"),
    Image("cli", PurePosixPath("Dockerfile"), target="cli"),
    Image("router", PurePosixPath("Dockerfile"), target="router"),
    Image("support-agent", PurePosixPath("agents/support/Dockerfile")),
    Image("improver", PurePosixPath("agents/improver/Dockerfile")),
    Image("author", PurePosixPath("agents/author/Dockerfile")),
    Image("load", PurePosixPath("agents/load/Dockerfile")),
    Image("prometheus", PurePosixPath("hack/images/prometheus/Dockerfile")),
)
