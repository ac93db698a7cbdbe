"""A Service of the cluster as an address on this machine, as a user reaches it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from hack.demo.kubectl import Kubectl, KubectlError


@contextmanager
def forwarded(kubectl: Kubectl, service: str, port: int) -> Iterator[str]:
    """The URL, as long as the block lasts. Raises KubectlError where nothing is forwarded."""
    command = [kubectl.program, "--kubeconfig", str(kubectl.kubeconfig), "-n", kubectl.namespace]
    with subprocess.Popen(
        [*command, "port-forward", f"service/{service}", f":{port}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            line = process.stdout.readline()
            if "127.0.0.1:" not in line:
                process.terminate()
                raise KubectlError(
                    f"the port of {service} can't be forwarded: {process.stderr.read().strip()}"
                )
            yield f"http://127.0.0.1:{line.split('127.0.0.1:')[1].split()[0]}"
        finally:
            process.terminate()
