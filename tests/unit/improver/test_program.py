"""The program of the image, as far as it needs no cluster."""

from __future__ import annotations

import pytest

from agentrollouts.improver.__main__ import main
from agentrollouts.replay.recordings import Recordings


def test_an_address_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with Recordings("127.0.0.1", 0) as taken:
        listen = {"AGENT_ROLLOUTS_IMPROVER_LISTEN": f"127.0.0.1:{taken.port}"}
        assert main(["support"], listen) == 2
    assert f"can't serve recordings on 127.0.0.1:{taken.port}" in capsys.readouterr().err
