"""The list of the platforms that this service publishes to: every module of this package that defines a PLATFORM."""

import importlib
import pkgutil
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
