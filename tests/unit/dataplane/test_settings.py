"""Settings and the three commands."""

from __future__ import annotations

import json

from agentrollouts.dataplane.__main__ import main
from agentrollouts.dataplane.settings import from_environment


def test_defaults_are_those_of_the_chart():
    settings = from_environment({})
    assert str(settings.admin_socket) == "/var/run/agent-rollouts/xds/admin.sock"
    assert (settings.health_port, settings.stats_port, settings.namespaces) == (9903, 9901, ())
    assert settings.shadows is settings.listeners.shadows is False


def test_shadows_are_taken_where_that_is_said():
    assert from_environment({"SHADOWS": "true"}).listeners.shadows


def test_namespaces_are_a_list():
    assert from_environment({"WATCH_NAMESPACES": "a, b,"}).namespaces == ("a", "b")


def test_a_number_that_is_none_names_its_variable(monkeypatch, capsys):
    monkeypatch.setenv("STATS_PORT", "many")
    assert main(["init"]) == 2
    assert "STATS_PORT" in capsys.readouterr().err


def test_init_makes_every_file_envoy_names_and_keeps_the_last_good_ones(monkeypatch, tmp_path):
    monkeypatch.setenv("XDS_DIR", str(tmp_path))
    assert main(["init"]) == 0
    config = json.loads((tmp_path / "bootstrap.json").read_text())
    for source in ("lds_config", "cds_config"):
        path = config["dynamic_resources"][source]["path_config_source"]["path"]
        assert json.loads((tmp_path / path).read_text())["resources"] == []
    assert len(list(tmp_path.glob("rds-*.json"))) == 16
    assert not list(tmp_path.glob(".*.new"))
    (tmp_path / "cds.json").write_text("last good")
    main(["init"])
    assert (tmp_path / "cds.json").read_text() == "last good"
