"""The fake does what a real cluster does."""

from __future__ import annotations

import pytest

from tests.contract.improver_cluster import check
from tests.fakes.improvable import Improvable


@pytest.mark.asyncio
async def test_the_fake_keeps_the_contract() -> None:
    await check(Improvable(proposals={"autoStart": True}), "support")
