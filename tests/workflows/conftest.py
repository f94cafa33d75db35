"""Fixtures of tests that run whole workflows."""

from datetime import timedelta

import pytest

from activities import options
from platforms.registry import platforms


@pytest.fixture
def quick_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Confirm every half second, and believe absence early, because the sandbox's reads do not lag."""
    monkeypatch.setattr(options, "FIRST_CONFIRM_WAITS", (timedelta(seconds=0.5),) * 60)
    for platform in platforms().values():
        monkeypatch.setattr(type(platform), "read_lag", timedelta(seconds=1))
