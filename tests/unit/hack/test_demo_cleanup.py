from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from rich.console import Console

from hack.demo.kubectl import Kubectl, KubectlError
from hack.demo.play import cleaned
from hack.demo.traces import Found


def program(folder: Path, script: str) -> str:
    path = folder / "kubectl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_what_cannot_be_taken_away_is_said_and_fails_the_demo(tmp_path: Path) -> None:
    kubectl = Kubectl(program(tmp_path, "echo the server is gone >&2; exit 1"), tmp_path / "config", "demo")
    options = argparse.Namespace(kubectl="kubectl", kubeconfig=kubectl.kubeconfig, helm="helm", target="demo")
    console = Console(record=True, width=200)
    there = Found(cluster=True, revision=1, definitions=frozenset())
    assert not cleaned(console, kubectl, options, there)
    said = console.export_text()
    assert "the server is gone" in said
    assert "get all -n demo" in said


def test_a_command_that_does_not_end_is_an_error_like_any_other(tmp_path: Path) -> None:
    kubectl = Kubectl(program(tmp_path, "exec sleep 60"), tmp_path / "config", "demo")
    with pytest.raises(KubectlError, match="delete namespace demo wasn't done within"):
        kubectl.run("delete", "namespace", "demo", timeout=0.2)
