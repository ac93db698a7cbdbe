"""The API server as a person reaches it: with a kubeconfig file, a context of it and a namespace, as kubectl does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException

from agentrollouts.kube.connection import Connection, load_configuration
from agentrollouts.ports import TerminalError

IN_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
TIMEOUT = 20.0
"""Seconds one request may take: a person's line is slower than the cluster's own network."""


async def connect(*, kubeconfig: str, context: str) -> tuple[Connection, str]:
    """A connection as that context's user, and the context's namespace. Empty: $KUBECONFIG or ~/.kube/config, current context.

    Inside a pod without a kubeconfig file it is the pod's service account and namespace.

    Raises:
        TerminalError: there is no such file or context, or it can't be understood.
    """
    try:
        return await _connect(kubeconfig, context)
    except (ConfigException, OSError, yaml.YAMLError) as error:
        raise TerminalError(str(error)) from error


async def _connect(kubeconfig: str, context: str) -> tuple[Connection, str]:
    named = _named_files(kubeconfig)
    files = _existing(named)
    if not files:
        in_pod = "" if kubeconfig or context else _pod_namespace()
        if not in_pod:
            raise ConfigException(f"there is no kubeconfig file {' or '.join(named)}")
        return Connection(await load_configuration(None), timeout=TIMEOUT), in_pod
    client: Any = config
    contexts, current = client.list_kube_config_contexts(os.pathsep.join(files))
    wanted = context or current["name"]
    chosen = next((item for item in contexts if item["name"] == wanted), None)
    if chosen is None:
        known = ", ".join(sorted(item["name"] for item in contexts)) or "none"
        raise ConfigException(f"there is no context {wanted!r}; the kubeconfig has {known}")
    configuration = Configuration()
    await client.load_kube_config(
        config_file=os.pathsep.join(files),
        context=wanted,
        client_configuration=configuration,
        persist_config=False,
    )
    namespace = (chosen.get("context") or {}).get("namespace") or "default"
    return Connection(configuration, timeout=TIMEOUT), str(namespace)


def _named_files(kubeconfig: str) -> list[str]:
    """The files kubectl would read, in its order of preference."""
    named = kubeconfig or os.environ.get("KUBECONFIG", "")
    return [name for name in named.split(os.pathsep) if name] or [str(Path.home() / ".kube" / "config")]


def _existing(names: list[str]) -> list[str]:
    return [name for name in names if Path(name).is_file()]


def _pod_namespace() -> str:
    """The namespace of the pod we run in; empty outside of one."""
    return IN_POD_NAMESPACE.read_text().strip() if IN_POD_NAMESPACE.is_file() else ""
