"""Settings of all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Nothing here is about time: a busy machine draws and runs slowly, and that is no failure.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
