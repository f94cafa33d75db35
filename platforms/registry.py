"""The platforms that this service publishes to, and the versions of their APIs that end soon."""

import importlib
import pkgutil
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

import platforms as package
from platforms.base import AnyPlatform, Platform


@cache
def platforms() -> dict[str, AnyPlatform]:
    """Return every platform by the name that clients write in `platform`, in alphabetical order."""
    by_name: dict[str, AnyPlatform] = {}
    for module in sorted(info.name for info in pkgutil.iter_modules(package.__path__)):
        platform = getattr(importlib.import_module(f"platforms.{module}"), "PLATFORM", None)
        if isinstance(platform, Platform):
            by_name[platform.name] = platform
    return by_name


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
