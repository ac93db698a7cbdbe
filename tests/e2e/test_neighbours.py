"""Two teams with an agent of the same name, each in its own namespace, on the same router."""

from __future__ import annotations

from agent_load import routing_errors
from tests.e2e.conftest import MakeSpace


def test_callers_meet_their_own_namespaces_agent(make_space: MakeSpace) -> None:
    ours, theirs = make_space("e2e-ours"), make_space("e2e-theirs")
    ours.first("1.0.0")
    theirs.first("2.0.0")
    for space in (ours, theirs):
        space.users(rate=15)
    ours.met("1.0.0", requests=60)
    theirs.met("2.0.0", requests=60)
    for space, semver in ((ours, "1.0.0"), (theirs, "2.0.0")):
        ledger = space.leave()
        assert not routing_errors(ledger)
        assert {row.version for row in ledger.rows()} == {semver}
        space.counts_are_true(ledger)
