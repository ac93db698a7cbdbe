from __future__ import annotations

import pytest

from hack.apiserver import ApiServer
from tests.integration.api import Api
from tests.integration.runtime.scene import Scene


@pytest.fixture
def scene(apiserver: ApiServer, admin: Api, namespace: str) -> Scene:
    return Scene(apiserver, admin, namespace)
