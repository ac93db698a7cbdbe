import pytest

from hack.cluster.settings import Settings, read_settings


@pytest.fixture
def repository_settings() -> Settings:
    return read_settings({"HOME": "/home/nobody"})
