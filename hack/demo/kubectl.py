"""kubectl as the demo and the end-to-end tests use it: what a user would type, on the project's own kubeconfig only."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class KubectlError(RuntimeError):
    """kubectl said no; the message is what it printed."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One cluster, one namespace."""

    program: str
    kubeconfig: Path
    namespace: str

    def run(self, *args: str, stdin: str | None = None, timeout: float = 60) -> str:
        """Run a command and return what it printed. Raises KubectlError with the server's words."""
        command = [self.program, "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *args]
        try:
            done = subprocess.run(
                command,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
                env=self._environment(),
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"kubectl {' '.join(args)} wasn't done within {timeout:.0f} s") from error
        if done.returncode:
            raise KubectlError(done.stderr.strip() or done.stdout.strip() or f"{args[0]} failed")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        # The user's own kubeconfig must never be read, not even by accident.
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """An object, or None if there is none."""
        text = self.run("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Objects of a kind."""
        text = self.run("get", kind, "-o", "json", *(["-l", selector] if selector else []))
        items: list[dict[str, Any]] = json.loads(text)["items"]
        return items

    def apply(self, *manifests: Mapping[str, Any]) -> str:
        """Apply manifests."""
        return self.run(
            "apply", "-f", "-", stdin="\n---\n".join(json.dumps(manifest) for manifest in manifests)
        )

    def patch(self, kind: str, name: str, patch: Mapping[str, Any]) -> str:
        """Merge-patch an object."""
        return self.run("patch", kind, name, "--type=merge", "-p", json.dumps(patch))

    def annotate(self, kind: str, name: str, *annotations: str, user: str = "") -> str:
        """Annotate, as somebody else if ``user`` is given."""
        return self.run(
            "annotate", kind, name, "--overwrite", *annotations, *([f"--as={user}"] if user else [])
        )

    def raw(self, path: str, *, timeout: float = 60) -> str:
        """GET a path of the API server, which may be its proxy to a pod or a service."""
        return self.run("get", "--raw", path, timeout=timeout)

    def post(self, path: str) -> str:
        """POST an empty object to a path of the API server."""
        return self.run("create", "--raw", path, "-f", "-", stdin="{}")


@dataclass(slots=True)
class Watch:
    """Follows one kind in a thread and hands each object to ``seen``; ends with :meth:`stop`."""

    kubectl: Kubectl
    kind: str
    seen: Callable[[dict[str, Any]], None]
    _process: subprocess.Popen[str] | None = None
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin to follow."""
        threading.Thread(target=self._follow, daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        if self._process is not None:
            self._process.terminate()

    def _follow(self) -> None:
        command = [
            self.kubectl.program,
            "--kubeconfig",
            str(self.kubectl.kubeconfig),
            "-n",
            self.kubectl.namespace,
        ]
        while not self._stopped.is_set():
            # The API server ends a watch after some minutes; a new one begins with what is there.
            with subprocess.Popen(
                [*command, "get", self.kind, "-w", "-o", "json"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as process:
                self._process = process
                self._read(process)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("}"):
                self.seen(json.loads("".join(lines)))
                lines.clear()
