"""Versions of platforms' APIs that end soon."""

from dataclasses import dataclass
from datetime import date, timedelta

from platforms.registry import platforms

WARN_AHEAD = timedelta(days=90)
"""Long enough for a release, its tests and an update without haste; our choice."""


@dataclass(frozen=True, slots=True)
class EndingVersion:
    """A version of a platform's API, and the last day on which the platform serves it."""

    platform: str
    label: str
    name: str
    until: date


def announced_ends() -> list[EndingVersion]:
    """Return the versions in use whose end has been announced, in alphabetical order of their platforms."""
    return [
        EndingVersion(platform.name, platform.label, platform.api.name, platform.api.supported_until)
        for platform in platforms().values()
        if platform.api.supported_until
    ]


def ending_versions(today: date) -> list[EndingVersion]:
    """Return the versions in use that end within WARN_AHEAD, or have ended."""
    return [version for version in announced_ends() if version.until - today <= WARN_AHEAD]
