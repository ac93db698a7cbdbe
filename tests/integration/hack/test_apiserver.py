import json
import socket
import subprocess
import urllib.parse

import pytest

from hack.apiserver import ApiServer, running_apiserver
from hack.cluster.polling import wait_for


def kubectl(server: ApiServer, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    argv = [
        str(server.kubectl),
        f"--kubeconfig={server.kubeconfig}",
        f"--cache-dir={server.kubeconfig.parent}/cache",
    ]
    return subprocess.run([*argv, *words], input=stdin, capture_output=True, text=True, check=False)


def test_rbac_is_on_and_the_admin_may_speak_for_others() -> None:
    with running_apiserver() as server:
        folder = server.kubeconfig.parent
        assert kubectl(server, "get", "namespaces").returncode == 0
        refused = kubectl(server, "create", "namespace", "x", "--as=somebody")
        assert "forbidden" in refused.stderr
        kinds = kubectl(
            server, "api-resources", "--api-group=admissionregistration.k8s.io", "-o", "name"
        ).stdout
        assert "mutatingadmissionpolicies" in kinds
    assert not folder.exists()


def test_controllers_act_where_they_are_asked_for() -> None:
    with running_apiserver(with_controller_manager=True) as server:
        made = kubectl(server, "create", "deployment", "web", "--image=web", "--replicas=2")
        assert made.returncode == 0, made.stderr

        def pods() -> bool:
            listing = json.loads(kubectl(server, "get", "pods", "-o", "json").stdout)
            return len(listing["items"]) == 2

        wait_for("two pods", pods, seconds=30)


def test_programs_end_with_the_context_also_after_an_error() -> None:
    def boom() -> None:
        with running_apiserver() as server:
            assert listening(server)
            seen.append(server)
            raise ValueError("the test failed")

    seen: list[ApiServer] = []
    with pytest.raises(ValueError, match="the test failed"):
        boom()
    assert not listening(seen[0])


def listening(server: ApiServer) -> bool:
    port = urllib.parse.urlsplit(server.url).port
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
